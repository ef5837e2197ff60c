/**
 * /debug/vars as etcd publishes it (etcd API 11.5): the command line, memory, the limit of descriptors, and how raft stands. Of Go's
 * memory figures those that mean something here; the others are left out rather than shown as zero.
 */
import { readFileSync } from "node:fs";
import type { CoreStatus, PeerStatus } from "@flotilla/raft";
import type { HttpRoute } from "./front/http-router.ts";
import type { MemberPort } from "./services/member-port.ts";

export const DEBUG_VARS_PATH = "/debug/vars";

/** `commandLine`: without its secrets. */
export function debugVarsRoute(member: MemberPort, commandLine: readonly string[]): HttpRoute {
	return {
		methods: ["GET"],
		handle(_request, respond) {
			const vars = {
				cmdline: commandLine,
				file_descriptor_limit: descriptorLimit(),
				memstats: memoryFigures(),
				"raft.status": raftStatus(member.status().core),
			};
			// Each on a line of its own, as tools that cut lines out of it expect.
			const lines = Object.entries(vars).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
			respond({ status: 200, headers: [["Content-Type", "application/json; charset=utf-8"]], body: `{\n${lines.join(",\n")}\n}\n` });
		},
	};
}

/** 0 where the system does not tell. */
function descriptorLimit(): number {
	try {
		return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 0);
	} catch {
		return 0;
	}
}

/** Buffers lie outside of V8's heap, in memory that is all in use. */
function memoryFigures(): Readonly<Record<string, number>> {
	const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
	const inUse = heapUsed + external;
	return { Alloc: inUse, Sys: rss, HeapAlloc: inUse, HeapSys: heapTotal + external, HeapIdle: heapTotal - heapUsed, HeapInuse: inUse };
}

const STATES: Readonly<Record<CoreStatus["role"], string>> = {
	follower: "StateFollower",
	preCandidate: "StatePreCandidate",
	candidate: "StateCandidate",
	leader: "StateLeader",
};
const PROGRESS: Readonly<Record<PeerStatus["state"], string>> = {
	probe: "StateProbe",
	replicate: "StateReplicate",
	snapshot: "StateSnapshot",
};

/** How far each has come is known to a leader alone, of itself by what is durable here. */
function raftStatus(core: CoreStatus): object {
	const { id, term, vote, commit, leader, role, applied, peers, transferee, stable, lastIndex } = core;
	const own = role === "leader" ? [{ id, match: stable, next: lastIndex + 1, state: "replicate" as const }] : [];
	const progress = [...own, ...peers].map((each) => [hex(each.id), progressOf(each)] as const);
	return {
		...{ id: hex(id), term, vote: hex(vote), commit, lead: hex(leader), raftState: STATES[role], applied },
		...{ progress: Object.fromEntries(progress), leadtransferee: hex(transferee) },
	};
}

function progressOf({ match, next, state }: Pick<PeerStatus, "match" | "next" | "state">): object {
	return { match, next, state: PROGRESS[state] };
}

function hex(id: bigint): string {
	return id.toString(16);
}
