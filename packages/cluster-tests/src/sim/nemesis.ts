import type { Dice } from "@flotilla/base";
import type { SimMember } from "./member.ts";
import type { SimNetwork } from "./network.ts";
import type { FaultRates } from "./plan.ts";
import { Removals } from "./removals.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What was done, for the report. */
export interface FaultNote {
	readonly atMs: number;
	readonly fault: string;
	readonly members: readonly string[];
}

/** Breaks a simulated cluster by the rates of a plan, and mends what it broke. */
export class Nemesis {
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly members: readonly SimMember[];
	private readonly network: SimNetwork;
	readonly removals: Removals;
	private stopped = false;
	readonly notes: FaultNote[] = [];

	constructor(time: VirtualTime, dice: Dice, members: readonly SimMember[], network: SimNetwork) {
		this.time = time;
		this.dice = dice;
		this.members = members;
		this.network = network;
		this.removals = new Removals(time, dice.fork("removals"), members);
	}

	start(rates: FaultRates): void {
		this.every(rates.killMs, () => this.kill([this.dice.pick(this.members)], "process"));
		this.every(rates.powerCutMs, () => this.kill([this.dice.pick(this.members)], "power"));
		this.every(rates.killAllMs, () => this.kill(this.members, this.dice.pick(["process", "power"] as const)));
		this.every(rates.pauseMs, () => this.pause());
		this.every(rates.isolateMs, () => this.isolate());
		this.every(rates.oneWayMs, () => this.oneWay());
		this.every(rates.bridgeMs, () => this.bridge());
		this.every(rates.resetMs, () => this.pair((a, b) => this.network.reset(a.id, b.id), "reset"));
		this.every(rates.clogMs, () => this.pair((a, b) => this.network.clog(a.id, b.id, this.dice.range(50_000, 3_000_000)), "clog"));
		this.every(rates.slowDiskMs, () => this.slowDisk());
		this.every(rates.failSyncMs, () => this.failSync());
		this.every(rates.clockJumpMs, () => this.jumpClock());
		this.every(rates.transferMs, () => this.transfer());
		this.every(rates.awayMs, () => this.away());
		this.every(rates.removeMs, () => this.remove());
	}

	/** No new faults; everything is mended and every member started. */
	heal(): void {
		this.stopped = true;
		this.removals.stop();
		this.network.healAll();
		for (const member of this.members) {
			member.resume();
			member.disk.mend();
			if (!member.running) member.start();
		}
		this.note("heal", []);
	}

	private every(meanMs: number, strike: () => void): void {
		if (meanMs === 0) return;
		this.time.after(this.dice.range(1, 2 * meanMs) * 1_000, () => {
			if (this.stopped) return;
			strike();
			this.every(meanMs, strike);
		});
	}

	private later(maxMs: number, mend: () => void): void {
		this.time.after(this.dice.range(1, maxMs) * 1_000, () => {
			if (!this.stopped) mend();
		});
	}

	private kill(victims: readonly SimMember[], kind: "process" | "power"): void {
		this.note(kind === "power" ? "power cut" : "kill -9", victims);
		for (const victim of victims) {
			victim.crash(kind);
			this.later(1_500, () => {
				if (!victim.running) victim.start();
			});
		}
	}

	private away(): void {
		const victim = this.dice.pick(this.members);
		this.note("away", [victim]);
		victim.crash(this.dice.pick(["process", "power"] as const));
		this.time.after(this.dice.range(1_000, 5_000) * 1_000, () => {
			if (!this.stopped && !victim.running) victim.start();
		});
	}

	private pause(): void {
		const victim = this.dice.pick(this.members);
		this.note("pause", [victim]);
		victim.pause();
		this.later(4_000, () => victim.resume());
	}

	private isolate(): void {
		const victims = this.dice.shuffle([...this.members]).slice(0, this.dice.range(1, Math.max(1, this.members.length >> 1)));
		this.note("partition", victims);
		this.cutBetween(victims, this.others(victims), true);
	}

	private oneWay(): void {
		const victim = this.dice.pick(this.members);
		const others = this.others([victim]);
		const deaf = this.dice.chance(1, 2);
		this.note(deaf ? "deaf" : "mute", [victim]);
		if (deaf) this.cutBetween(others, [victim], false);
		else this.cutBetween([victim], others, false);
	}

	/** One member sees both halves; the halves do not see each other. */
	private bridge(): void {
		const [bridge, ...rest] = this.dice.shuffle([...this.members]);
		if (bridge === undefined || rest.length < 2) return;
		this.note("bridge", [bridge]);
		const half = rest.slice(0, rest.length >> 1);
		this.cutBetween(half, this.others([bridge, ...half]), true);
	}

	private cutBetween(from: readonly SimMember[], to: readonly SimMember[], bothWays: boolean): void {
		const pairs = from.flatMap((a) => to.map((b) => [a.id, b.id] as const));
		for (const [a, b] of pairs) {
			this.network.cut(a, b);
			if (bothWays) this.network.cut(b, a);
		}
		this.later(4_000, () => {
			for (const [a, b] of pairs) {
				this.network.heal(a, b);
				if (bothWays) this.network.heal(b, a);
			}
		});
	}

	private pair(strike: (a: SimMember, b: SimMember) => void, name: string): void {
		const [a, b] = this.dice.shuffle([...this.members]);
		if (a === undefined || b === undefined) return;
		this.note(name, [a, b]);
		strike(a, b);
	}

	private slowDisk(): void {
		const victim = this.dice.pick(this.members);
		this.note("slow disk", [victim]);
		victim.disk.slow(this.dice.range(5, 1_500));
		this.later(3_000, () => victim.disk.mend());
	}

	private failSync(): void {
		const victim = this.dice.pick(this.members);
		if (!victim.running) return;
		this.note("write error", [victim]);
		victim.disk.failNextWrite();
	}

	private jumpClock(): void {
		const victim = this.dice.pick(this.members);
		this.note("clock jump", [victim]);
		victim.jumpWallClock(this.dice.range(-86_400_000, 86_400_000));
	}

	private transfer(): void {
		const from = this.members.find((member) => member.leads);
		const to = this.dice.pick(this.members);
		if (from === undefined || from === to) return;
		this.note("transfer", [from, to]);
		from.transferLeadership(to.id);
	}

	private remove(): void {
		const victim = this.removals.strike();
		if (victim !== null) this.note("remove", [victim]);
	}

	private others(than: readonly SimMember[]): SimMember[] {
		return this.members.filter((member) => !than.includes(member));
	}

	private note(fault: string, members: readonly SimMember[]): void {
		this.notes.push({ atMs: this.time.nowUs / 1_000, fault, members: members.map((member) => member.name) });
	}
}
