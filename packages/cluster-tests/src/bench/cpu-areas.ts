/** A CPU profile of a member, by the part of the program in which the time was spent. */

/** Of Chrome's DevTools, as V8 writes it: only what is read here. */
export interface CpuProfile {
	readonly nodes: ReadonlyArray<{ readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string } }>;
	readonly samples: readonly number[];
	readonly timeDeltas: readonly number[];
}

export interface AreaShare {
	readonly area: string;
	/** Of the busy time. */
	readonly share: number;
}

/** Neither is work of the loop: the second is V8's word for what is no JavaScript and no call from it. */
const IDLE: ReadonlySet<string> = new Set(["(idle)", "(program)", "(root)"]);
const SOCKET_WRITES: ReadonlySet<string> = new Set(["writev", "writeBuffer", "writeUtf8String", "writeLatin1String"]);
/** The first that the place of a function contains. */
const AREAS: readonly (readonly [part: string, area: string])[] = [
	["/classic-level/", "records to the store (classic-level)"],
	["/abstract-level/", "records to the store (classic-level)"],
	["packages/server/src/http2/", "HTTP/2 and gRPC (http2, front)"],
	["packages/server/src/front/", "HTTP/2 and gRPC (http2, front)"],
	["packages/server/src/driver/", "driver, log, peers"],
	["packages/server/src/wal/", "driver, log, peers"],
	["packages/server/src/disk/", "driver, log, peers"],
	["packages/server/src/peers/", "driver, log, peers"],
	["packages/server/", "services, codecs, tap"],
	["packages/api/", "services, codecs, tap"],
	["packages/replica/", "replica, raft, key space"],
	["packages/raft/", "replica, raft, key space"],
	["packages/mvcc/", "replica, raft, key space"],
	["packages/base/", "checksums and bytes (base)"],
	["wasm", "checksums and bytes (base)"],
	["node_modules/", "libraries"],
	["node:", "Node's streams and other inner parts"],
];

/** Largest first; the shares add up to 1. Empty where the loop did nothing. */
export function busyByArea({ nodes, samples, timeDeltas }: CpuProfile): AreaShare[] {
	const areas = new Map(nodes.map(({ id, callFrame }) => [id, areaOf(callFrame.functionName, callFrame.url)]));
	const spent = new Map<string, number>();
	let busy = 0;
	for (const [at, sample] of samples.entries()) {
		const area = areas.get(sample) ?? null;
		if (area === null) continue;
		const us = timeDeltas[at] ?? 0;
		busy += us;
		spent.set(area, (spent.get(area) ?? 0) + us);
	}
	return [...spent].map(([area, us]) => ({ area, share: us / busy })).sort((a, b) => b.share - a.share);
}

/** Null: not busy. */
function areaOf(name: string, url: string): string | null {
	if (IDLE.has(name)) return null;
	if (name === "(garbage collector)") return "garbage collection";
	if (url === "" && SOCKET_WRITES.has(name)) return "writes to sockets and files (the system call)";
	return AREAS.find(([part]) => url.includes(part))?.[1] ?? "Node's streams and other inner parts";
}
