import { Entry } from "../../src/index.ts";

/**
 * Copies and names the state of a member, whatever it consists of: every field of every object is followed, so that a field
 * that is added to the core tomorrow is part of it. What is left out is listed here by name, with the reason.
 */

/** Shared by all copies: never changed, or without influence on what is explored. */
const SHARED = new Set(["config", "tap", "dice", "spans"]);

/** Left out of a state's name: numbers that only count, caches, working space, and timers that this exploration never reads. */
const UNNAMED = new Set([
	...SHARED,
	...["seq", "issuedSeq", "ackedSeq", "nextSeq", "heartbeatSequence"],
	...["sliced", "sliceFrom", "scratch", "activeVotes", "output", "spareOutput", "ends", "endBefore"],
	...["electionElapsed", "electionDrawTicks", "heartbeatElapsed", "campaignInTicks", "campaignReason"],
	...["toldRole", "toldLeader", "toldTerm", "toldCommit"],
]);

export function copyGraph<T>(value: T, seen = new Map<unknown, unknown>()): T {
	if (typeof value !== "object" || value === null || value instanceof Entry || value instanceof Uint8Array) return copyBytes(value, seen);
	const known = seen.get(value);
	if (known !== undefined) return known as T;
	if (value instanceof Float64Array) return remember(seen, value, value.slice() as T);
	if (Array.isArray(value)) {
		const copy = remember(seen, value, new Array(value.length)) as unknown[];
		for (let at = 0; at < value.length; at++) copy[at] = copyGraph(value[at], seen);
		return copy as T;
	}
	if (value instanceof Map) {
		const copy = remember(seen, value, new Map()) as Map<unknown, unknown>;
		for (const [key, held] of value) copy.set(key, copyGraph(held, seen));
		return copy as T;
	}
	if (value instanceof Set) return remember(seen, value, new Set(value) as T);
	const copy = remember(seen, value, Object.create(Object.getPrototypeOf(value) as object)) as Record<string, unknown>;
	for (const [name, held] of Object.entries(value)) copy[name] = SHARED.has(name) ? held : copyGraph<unknown>(held, seen);
	return copy as T;
}

/** Equal for two states that nothing explored here can tell apart. */
export function nameOf(value: unknown): string {
	if (typeof value !== "object" || value === null) return String(value);
	if (value instanceof Entry) return `${value.index}@${value.term}/${value.kind}/${value.data.join()}`;
	if (value instanceof Float64Array || value instanceof Uint8Array) return value.join().replace(/(,0)*$/, "");
	if (Array.isArray(value)) {
		const held = value.filter((each) => each !== undefined && each !== null && each !== 0n);
		return `[${held.map(nameOf).join()}]`;
	}
	if (value instanceof Map) return `<${[...value].map(([key, held]) => `${String(key)}:${nameOf(held)}`).join()}>`;
	if (value instanceof Set) return `<${[...value].map(nameOf).sort().join()}>`;
	const parts: string[] = [];
	for (const [name, held] of Object.entries(value)) if (!UNNAMED.has(name)) parts.push(`${name}:${nameOf(held)}`);
	return `{${parts.join()}}`;
}

/** Votes and flags are bytes that change; the payload of an entry never does, and is part of the entry. */
function copyBytes<T>(value: T, seen: Map<unknown, unknown>): T {
	return value instanceof Uint8Array ? ((seen.get(value) as T | undefined) ?? remember(seen, value, value.slice() as T)) : value;
}

function remember<T>(seen: Map<unknown, unknown>, value: unknown, copy: T): T {
	seen.set(value, copy);
	return copy;
}
