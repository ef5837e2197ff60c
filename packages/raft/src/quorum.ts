/** Majority arithmetic over slots. Knows neither ids nor progress; imports nothing. */

export type VoteOutcome = "won" | "lost" | "pending";

/** Values of a vote array. */
export const VOTE_NONE = 0;
export const VOTE_GRANTED = 1;
export const VOTE_REFUSED = 2;

/**
 * The largest value that a majority of `slots` has reached (raft thesis §3.5). Infinity for no slots, so that the empty half
 * of a configuration that is not joint never holds anything back. `scratch` must hold `slots.length` values.
 */
export function majorityValue(slots: readonly number[], values: Float64Array, scratch: Float64Array): number {
	const count = slots.length;
	if (count === 0) return Number.POSITIVE_INFINITY;
	for (let i = 0; i < count; i++) {
		const value = values[slots[i] as number] as number;
		let at = i;
		while (at > 0 && (scratch[at - 1] as number) > value) {
			scratch[at] = scratch[at - 1] as number;
			at--;
		}
		scratch[at] = value;
	}
	// Ascending order: the value at this place is reached by exactly a majority of the slots, itself included.
	return scratch[count - ((count >> 1) + 1)] as number;
}

/** Outcome of a vote among `slots`; won for no slots. */
export function majorityVote(slots: readonly number[], votes: Uint8Array): VoteOutcome {
	const majority = (slots.length >> 1) + 1;
	let granted = 0;
	let missing = 0;
	for (const slot of slots) {
		if (votes[slot] === VOTE_GRANTED) granted++;
		else if (votes[slot] === VOTE_NONE) missing++;
	}
	if (slots.length === 0 || granted >= majority) return "won";
	return granted + missing < majority ? "lost" : "pending";
}

/** A joint configuration needs both halves (raft thesis §4.3). */
export function jointVote(voters: readonly number[], outgoing: readonly number[], votes: Uint8Array): VoteOutcome {
	const incoming = majorityVote(voters, votes);
	const leaving = majorityVote(outgoing, votes);
	if (incoming === "lost" || leaving === "lost") return "lost";
	return incoming === "won" && leaving === "won" ? "won" : "pending";
}

/** The largest value that a quorum has reached: of both halves if joint. */
export function quorumValue(voters: readonly number[], outgoing: readonly number[], values: Float64Array, scratch: Float64Array): number {
	const incoming = majorityValue(voters, values, scratch);
	return outgoing.length === 0 ? incoming : Math.min(incoming, majorityValue(outgoing, values, scratch));
}
