/**
 * The check behind the kill test: writers put keys that nobody else writes, so the final state tells exactly what happened.
 * Every acknowledged write must be there once, at the revision that was told; no revision may be unexplained.
 */
export interface WriteRecord {
	readonly key: string;
	readonly value: string;
	readonly outcome: "acknowledged" | "unknown" | "refused";
	/** Header revision of an acknowledged write. */
	readonly revision: number;
}

export interface FinalPair {
	readonly key: string;
	readonly value: string;
	readonly createRevision: number;
	readonly modRevision: number;
	readonly version: number;
}

/** Findings in words; empty when all is well. `finalRevision`: the store revision of the final read. */
export function checkDurability(writes: readonly WriteRecord[], state: readonly FinalPair[], finalRevision: number): string[] {
	const findings: string[] = [];
	const pairs = new Map(state.map((pair) => [pair.key, pair]));
	const asked = new Map(writes.map((write) => [write.key, write]));
	for (const write of writes) {
		const pair = pairs.get(write.key);
		if (write.outcome === "acknowledged") {
			if (pair === undefined) findings.push(`lost: ${write.key}, acknowledged at revision ${write.revision}`);
			else if (pair.modRevision !== write.revision) {
				findings.push(`moved: ${write.key} was told ${write.revision} and stands at ${pair.modRevision}`);
			}
		}
		if (write.outcome === "refused" && pair !== undefined) findings.push(`refused yet done: ${write.key} at ${pair.modRevision}`);
		if (pair !== undefined && pair.value !== write.value) findings.push(`changed: ${write.key}`);
	}
	const revisions = new Map<number, string>();
	for (const pair of state) {
		if (!asked.has(pair.key)) findings.push(`nobody wrote ${pair.key}`);
		if (pair.version !== 1 || pair.createRevision !== pair.modRevision) {
			findings.push(`twice: ${pair.key} has version ${pair.version}, created at ${pair.createRevision}, changed at ${pair.modRevision}`);
		}
		const other = revisions.get(pair.modRevision);
		if (other !== undefined) findings.push(`one revision for two: ${pair.modRevision} for ${other} and ${pair.key}`);
		revisions.set(pair.modRevision, pair.key);
	}
	for (let revision = 2; revision <= finalRevision; revision++) {
		if (!revisions.has(revision)) findings.push(`gap: revision ${revision} belongs to no key`);
	}
	return findings;
}
