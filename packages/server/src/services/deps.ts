import type { ByteOps, TapSink } from "@flotilla/base";
import type { Callers } from "./auth/callers.ts";
import type { Credentials } from "./auth/credentials.ts";
import type { MemberPort } from "./member-port.ts";

export interface ServiceOptions {
	/** The API level that Status and /version name. */
	readonly serverVersion: string;
	readonly storageVersion: string;
	readonly maxTxnOps: number;
	/** As Status shows it: the default where the flag is 0, otherwise the flag. */
	readonly quotaBytesShown: number;
	/** Calls that take longer are worth a line of the log. */
	readonly warningUnaryRequestMs: number;
	/** Ticks of the member. */
	readonly electionTicks: number;
	/** Watchers that want it hear that nothing happened at this interval, or up to a tenth later. */
	readonly watchProgressTicks: number;
	/** A watcher that takes fragments gets a response of so many bytes in parts. */
	readonly watchFragmentBytes: number;
	/** Shorter wishes are raised to it. */
	readonly leaseTtlMinSeconds: number;
}

/** What the services are made of. */
export interface ServiceWorld {
	readonly member: MemberPort;
	readonly credentials: Credentials;
	readonly bytes: ByteOps;
	readonly options: ServiceOptions;
	/** Runs work in a later turn, after the sockets were read: long reads go on there. */
	readonly soon: (work: () => void) => void;
	/** Returns a function that calls it off. */
	readonly afterTicks: (ticks: number, work: () => void) => () => void;
	readonly tap: TapSink;
	/** Id of a member that is added now. */
	readonly newMemberId: (peerUrls: readonly string[]) => bigint;
}

export interface ServiceDeps extends ServiceWorld {
	/** Who calls, and whether that may be: asked by every handler. */
	readonly callers: Callers;
}
