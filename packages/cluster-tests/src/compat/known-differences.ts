/** Where flotilla answers otherwise than the etcd 3.4 at hand, and is right to. Each has a row in docs/compatibility.md. */
import { isRefusal } from "./beside-etcd.ts";

export interface Exchange {
	readonly path: string;
	/** As it was decoded, or a text where it cannot be. */
	readonly shown: unknown;
	readonly mine: unknown;
	readonly theirs: unknown;
}

export interface KnownDifference {
	/** As the page names it. */
	readonly name: string;
	applies(exchange: Exchange): boolean;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
	{
		name: "the revision of a hash",
		applies: ({ path, mine, theirs }) => path.endsWith("/HashKV") && without(mine, "hashRevision") === without(theirs, "hashRevision"),
	},
	{
		name: "a hash at a compacted revision",
		applies: ({ path, mine, theirs }) =>
			path.endsWith("/HashKV") && !isRefusal(mine) && isRefusal(theirs) && theirs.text.endsWith("has been compacted"),
	},
	{
		name: "the header of alarms",
		applies: ({ path, mine, theirs }) => path.endsWith("/Alarm") && without(mine, "header") === without(theirs, "header"),
	},
	{
		name: "words about malformed messages",
		applies: ({ mine, theirs }) =>
			isRefusal(mine) &&
			isRefusal(theirs) &&
			mine.code === theirs.code &&
			[mine, theirs].every(({ text }) => text.startsWith("grpc: error unmarshalling")),
	},
];

function without(outcome: unknown, name: string): string {
	return JSON.stringify({ ...(outcome as object), [name]: undefined });
}
