/** Holders of leases and lockers against real members: the clients of the simulator, in real time. */
import type { Dice } from "@flotilla/base";
import type { LeaseHistory } from "../history/lease-checks.ts";
import type { LockTurn } from "../history/lock-checks.ts";
import { eventually } from "../process/wait.ts";
import { LEASED } from "../sim/lease-holder.ts";
import { LeasePart } from "../sim/lease-part.ts";
import { LOCKED, LockPart } from "../sim/lock-part.ts";
import type { ClientWorld } from "../sim/parts.ts";
import { RemoteMember } from "./remote-member.ts";
import type { Scenario } from "./scenario.ts";
import type { StageMember } from "./stage.ts";

const TIMEOUT_MS = 1_500;
const END_MS = 180_000;
const LONG_SECONDS = 20;

/** What holders and lockers were told. */
export interface LeaseRecords {
	readonly leases: ReadonlyMap<bigint, LeaseHistory>;
	readonly locks: readonly LockTurn[];
	/** Keys of locks that outlived their leases, in words. */
	readonly leftOver: readonly string[];
}

/** Whether all of these changes are of leases or locks: they are held against what their holders asked for, by the checks of these. */
export function isLeased(keys: readonly string[]): boolean {
	return keys.every((key) => key.startsWith(LEASED)) || keys.every((key) => key.startsWith(LOCKED));
}

export class LeaseLoad {
	private readonly leases: LeasePart;
	private readonly locks: LockPart;
	private readonly remotes = new Map<string, RemoteMember>();
	private closed = false;

	/** `present`: whom clients may call at the moment. */
	constructor(scenario: Scenario, dice: Dice, present: () => readonly StageMember[], momentMs: () => number) {
		const world = (name: string): ClientWorld => ({
			dice: dice.fork(name),
			time: { after: (us, work) => setTimeout(() => this.closed || work(), us / 1_000) },
			members: () => present().map(({ address }) => this.remote(address)),
			moment: () => momentMs() * 1_000,
		});
		const { holders, lockers, seconds } = scenario;
		// A run ends when its last lease does.
		const ttlSeconds = seconds < LONG_SECONDS ? 1 : dice.range(1, 4);
		// A sleep of more than the lease's time ends it now and then.
		const plan = { ttlSeconds, keysMax: 3, timeoutMs: TIMEOUT_MS, revokePercent: 10, sleepPercent: 110 };
		this.leases = new LeasePart({ holders, ...plan }, world("leases"));
		this.locks = new LockPart({ lockers, timeoutMs: 2 * TIMEOUT_MS, holdMs: 300, unlockPercent: 80 }, world("locks"));
	}

	start(): void {
		this.leases.start();
		this.locks.start();
	}

	/** Nobody renews any more. */
	stop(): void {
		this.leases.stop();
		this.locks.stop();
	}

	/** Rejects when leases live on for ever. */
	async ended(): Promise<void> {
		const all = async (): Promise<void> => {
			if (!this.leases.idle || !this.locks.idle) throw new Error("some are still alive");
		};
		await eventually("every lease ends", all, END_MS);
	}

	get records(): LeaseRecords {
		return { leases: this.leases.leases, locks: this.locks.turns, leftOver: this.locks.leftOver };
	}

	close(): void {
		this.closed = true;
		for (const remote of this.remotes.values()) remote.close();
	}

	private remote(address: string): RemoteMember {
		let remote = this.remotes.get(address);
		if (remote === undefined) {
			remote = new RemoteMember(address);
			this.remotes.set(address, remote);
		}
		return remote;
	}
}
