/**
 * Many groups of three in one process, with disks and a network that cost nothing: what groups cost in which nothing happens.
 * As a command it tells the processor time of one member of each, 100 ticks a second:
 * `npm run bench:groups -- [groups] [seconds]`
 */
import { fileURLToPath } from "node:url";
import { Dice, silentTap, type TapSink } from "@flotilla/base";
import { commandFlags } from "@flotilla/base/command";
import { DEFAULT_RAFT_CONFIG } from "../src/config.ts";
import type { Message } from "../src/message.ts";
import { bootstrapPoint, RaftCore } from "../src/raft-core.ts";

const IDS = [1n, 2n, 3n];
const TICKS_A_SECOND = 100;

/** Of all members of all groups. */
export interface IdleCost {
	heartbeat: number;
	heartbeatResp: number;
	/** Messages of other kinds. */
	other: number;
	/** Writes asked of a disk. */
	appends: number;
	/** Batches given to a state machine. */
	applied: number;
}

export class IdleGroups {
	private readonly groups: ReadonlyArray<readonly RaftCore[]>;

	constructor(count: number, diceOf: (seed: number) => Dice, tap: TapSink) {
		this.groups = Array.from({ length: count }, (_, group) =>
			IDS.map((id) => {
				const hardState = { term: 1, vote: 0n, commit: 1 };
				const restored = { hardState, base: bootstrapPoint(IDS), entries: [], firstIndex: 2, applied: 1 };
				const dice = diceOf(group * IDS.length + Number(id));
				return new RaftCore({ ...DEFAULT_RAFT_CONFIG, id, incarnation: 1 }, restored, dice, tap);
			}),
		);
	}

	/** The first member of each group leads, and everybody knows all that it has committed. */
	elect(): void {
		for (const [first] of this.groups) (first as RaftCore).campaign();
		this.run(3 * DEFAULT_RAFT_CONFIG.heartbeatTicks);
	}

	propose(group: number): void {
		this.groups[group]?.[0]?.propose([new Uint8Array(16)]);
	}

	run(ticks: number): IdleCost {
		const cost: IdleCost = { heartbeat: 0, heartbeatResp: 0, other: 0, appends: 0, applied: 0 };
		for (let tick = 0; tick < ticks; tick++) {
			for (const group of this.groups) {
				for (const core of group) core.tick();
				settle(group, cost);
			}
		}
		return cost;
	}
}

/** What a group wants is done until it wants nothing more. */
function settle(group: readonly RaftCore[], cost: IdleCost): void {
	for (;;) {
		const wire: Message[] = [];
		const { appends, applied } = cost;
		for (const core of group) {
			const { send, append, apply } = core.drain();
			wire.push(...send);
			if (append !== null) {
				cost.appends++;
				core.onPersisted(append.seq);
				wire.push(...append.release);
			}
			const last = apply.at(-1);
			if (last === undefined) continue;
			cost.applied++;
			core.onApplied(last.index);
		}
		if (wire.length === 0 && cost.appends === appends && cost.applied === applied) return;
		for (const message of wire) {
			cost[message.kind === "heartbeat" || message.kind === "heartbeatResp" ? message.kind : "other"]++;
			(group[Number(message.to) - 1] as RaftCore).step(message);
		}
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { groups: count, seconds } = commandFlags(
		{
			call: "npm run bench:groups --",
			about: "What groups of three cost in which nothing happens: processor time and messages of one member of each.",
			flags: {
				groups: { kind: "number", least: 1, fallback: 1_000, about: "in one process" },
				seconds: { kind: "number", least: 1, fallback: 30, about: "of theirs, a hundred ticks each" },
			},
			bare: ["groups", "seconds"],
		},
		process,
	);
	const groups = new IdleGroups(count, (seed) => new Dice(seed), silentTap);
	groups.elect();
	groups.run(5 * TICKS_A_SECOND);
	const before = process.cpuUsage();
	const { heartbeat, heartbeatResp, other } = groups.run(seconds * TICKS_A_SECOND);
	const { user, system } = process.cpuUsage(before);
	const share = (user + system) / 1e6 / seconds / IDS.length;
	console.log(
		`${count} idle groups: ${(share * 100).toFixed(1)} % of a processor for one member of each, ` +
			`${Math.round((heartbeat + heartbeatResp + other) / seconds / IDS.length)} messages a second sent by it`,
	);
}
