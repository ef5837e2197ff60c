/** Each call of a run in a few bytes: a page of some hundred thousand must still open. */
import type { Attempt, Operation } from "../history/operation.ts";

const KINDS: Readonly<Record<Operation["kind"], number>> = { put: 0, range: 1, delete: 2, txn: 3, compact: 4 };
const OUTCOMES = { ok: 0, refused: 1, unknown: 2 } as const;
/**
 * Of a call, little endian: start f32 ms, duration f32 ms (without an outcome: until the client gave up), revision u32 (0: none), what it
 * was about u32 (place in the list of subjects), client u16, kind u8, outcome u8.
 */
export const CALL_BYTES = 20;
/** Of a longer run the report keeps those without an answer and evenly spread others. */
const CALLS_MAX = 300_000;
/** Of all subjects; those beyond it are the first one, which says nothing. */
const SUBJECTS_MAX = 20_000;
const KEYS_SHOWN = 4;

export function packCalls(
	attempts: readonly Attempt[],
	startedMs: number,
): { readonly calls: string; readonly subjects: readonly string[] } {
	const every = Math.max(1, Math.ceil(attempts.length / CALLS_MAX));
	const kept = attempts.filter(({ id, outcome }) => id % every === 0 || outcome.kind !== "ok").slice(0, CALLS_MAX);
	const bytes = Buffer.alloc(kept.length * CALL_BYTES);
	const places = new Map<string, number>([["", 0]]);
	for (const [at, { invoked, outcome, client, operation }] of kept.entries()) {
		const offset = at * CALL_BYTES;
		bytes.writeFloatLE(invoked - startedMs, offset);
		bytes.writeFloatLE(endOf({ invoked, outcome }) - invoked, offset + 4);
		bytes.writeUInt32LE(outcome.kind === "ok" ? outcome.answer.revision >>> 0 : 0, offset + 8);
		bytes.writeUInt32LE(placeOf(subjectOf(operation), places), offset + 12);
		bytes.writeUInt16LE(client & 0xffff, offset + 16);
		bytes[offset + 18] = KINDS[operation.kind];
		bytes[offset + 19] = OUTCOMES[outcome.kind];
	}
	return { calls: bytes.toString("base64"), subjects: [...places.keys()] };
}

function placeOf(subject: string, places: Map<string, number>): number {
	const place = places.get(subject);
	if (place !== undefined || places.size >= SUBJECTS_MAX) return place ?? 0;
	places.set(subject, places.size);
	return places.size - 1;
}

/** Its keys; values differ with every call. */
function subjectOf(operation: Operation): string {
	const keys = [...keysOf(operation)];
	return keys.length <= KEYS_SHOWN ? keys.join(", ") : `${keys.slice(0, KEYS_SHOWN).join(", ")} and ${keys.length - KEYS_SHOWN} more`;
}

function keysOf(operation: Operation): ReadonlySet<string> {
	switch (operation.kind) {
		case "put":
			return new Set([operation.key]);
		case "range":
		case "delete":
			return new Set([operation.end === "" ? operation.key : `${operation.key}..${operation.end === "\0" ? "" : operation.end}`]);
		case "compact":
			return new Set();
		case "txn": {
			const inner = [...operation.success, ...operation.failure].flatMap((one) => [...keysOf(one)]);
			return new Set([...operation.compare.map(({ key }) => key), ...inner]);
		}
	}
}

/** Of the answer, or of the client's patience. */
export function endOf({ invoked, outcome }: Pick<Attempt, "invoked" | "outcome">): number {
	return outcome.kind === "unknown" ? (outcome.gaveUp ?? invoked) : outcome.returned;
}
