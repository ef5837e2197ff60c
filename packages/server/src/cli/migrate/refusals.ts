/** What a cluster refused, what of that passes by itself, and what an operator can do about the rest. */

/** Canceled, out of time, internal, unavailable, unauthenticated: a connection that was given up, a member that is gone, a token that ran out. */
const PASSING_CODES: ReadonlySet<number> = new Set([1, 4, 13, 14, 16]);

/** These come with codes that also stand for other things, or as the reason of a canceled watch. */
const PASSING_TEXTS = [
	"etcdserver: too many requests",
	"etcdserver: revision of auth store is old",
	"etcdserver: invalid auth token",
	"etcdserver: no leader",
	"etcdserver: leader changed",
	"etcdserver: request timed out",
	"etcdserver: request cancelled",
	"etcdserver: server stopped",
	"raft proposal dropped",
	"not a primary lessor",
	// etcd 3.4, asked to write without a leader; its code is "unknown".
	"context deadline exceeded",
];

const HINTS: ReadonlyArray<readonly [text: string, hint: (side: SideName) => string]> = [
	["user name is empty", (side) => `logins are demanded there: --${FLAG[side]}-user`],
	["database space exceeded", (side) => `the ${side} is full: raise its --quota-backend-bytes and begin again`],
	["request is too large", (side) => `the ${side} takes less at once than the other side: raise its --max-request-bytes and begin again`],
];

export type SideName = "source" | "target";
const FLAG = { source: "from", target: "to" } as const;

/** A call that was refused, or that nobody answered. */
export class SideError extends Error {
	override readonly name = "SideError";
	readonly side: SideName;
	readonly code: number;
	readonly details: string;

	constructor(side: SideName, path: string, code: number, details: string) {
		const hint = HINTS.find(([text]) => details.includes(text))?.[1](side);
		super(`the ${side}, asked for ${path.slice(path.lastIndexOf("/") + 1)}: ${details}${hint === undefined ? "" : ` (${hint})`}`);
		this.side = side;
		this.code = code;
		this.details = details;
	}

	/** By the texts that etcd and flotilla share. */
	static says(error: unknown, text: string): error is SideError {
		return error instanceof SideError && error.details.includes(text);
	}
}

/** Asked again, by this member or by another one, the same may be granted. */
export function passes(code: number, text: string): boolean {
	return PASSING_CODES.has(code) || PASSING_TEXTS.some((passing) => text.includes(passing));
}

/** The member is well and has too much to do: another one, or another connection, would not help. */
export function isOverload(text: string): boolean {
	return text.includes("too many requests");
}

/** The history that is not read yet is gone. */
export function isCompacted(error: unknown): error is SideError {
	return SideError.says(error, "required revision has been compacted");
}
