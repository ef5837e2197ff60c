import type { Dice } from "@flotilla/base";
import type { CrashArea } from "./crash-points.ts";
import type { DamageBudget } from "./damage-budget.ts";
import type { Fleet } from "./fleet.ts";
import type { SimMember } from "./member.ts";
import type { SimNetwork } from "./network.ts";
import type { FaultKind, FaultRates } from "./plan.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What was done, for the report. */
export interface FaultNote {
	readonly atMs: number;
	readonly fault: string;
	readonly members: readonly string[];
	/** Kind and number of the strike; empty for what is none. */
	readonly strike: string;
}

const CRASH_AREAS: readonly (CrashArea | null)[] = [null, "file", "store", "house", "send", "receive", "answer"];

/**
 * Breaks a simulated cluster by the rates of a plan, and mends what it broke. Every strike has a number, and each kind of fault
 * draws from a stream of its own: a strike that is left out changes nothing of the others' draws.
 */
export class Nemesis {
	readonly notes: FaultNote[] = [];
	private readonly time: VirtualTime;
	private readonly fleet: Fleet;
	private readonly network: SimNetwork;
	private readonly budget: DamageBudget;
	private readonly spared: ReadonlySet<string>;
	private readonly streams: (name: string) => Dice;
	private dice: Dice;
	private stopped = false;

	/** `spared`: strikes that are not carried out, by kind and number. */
	constructor(time: VirtualTime, dice: Dice, fleet: Fleet, network: SimNetwork, budget: DamageBudget, spared: ReadonlySet<string>) {
		this.time = time;
		this.dice = dice;
		this.fleet = fleet;
		this.network = network;
		this.budget = budget;
		this.spared = spared;
		this.streams = (name) => dice.fork(name);
	}

	/** A wiped member that had announced itself is started again under its id. */
	onStartAnew: (victim: SimMember) => void = () => {};

	start(rates: FaultRates): void {
		const strikes: Record<FaultKind, () => void> = {
			killMs: () => this.kill([this.any()], "process"),
			powerCutMs: () => this.kill([this.any()], "power"),
			killAllMs: () => this.kill(this.fleet.present, this.dice.pick(["process", "power"] as const)),
			crashPointMs: () => this.crashPoint(),
			pauseMs: () => this.pause(),
			isolateMs: () => this.isolate(),
			oneWayMs: () => this.oneWay(),
			bridgeMs: () => this.bridge(),
			flapMs: () => this.flap(),
			resetMs: () => this.pair((a, b) => this.network.reset(a.id, b.id), "reset"),
			clogMs: () => this.pair((a, b) => this.network.clog(a.id, b.id, this.dice.range(50_000, 3_000_000)), "clog"),
			slowDiskMs: () => this.slowDisk(),
			failDiskMs: () => this.failDisk(),
			fullDiskMs: () => this.fullDisk(),
			rotMs: () => this.rot(),
			wipeMs: () => this.wipe(),
			clockJumpMs: () => this.jumpClock(),
			transferMs: () => this.transfer(),
			awayMs: () => this.away(),
			oldFolderMs: () => this.oldFolder(),
			loseStoreMs: () => this.loseStore(),
			oldTailMs: () => this.oldTail(),
			stopMs: () => this.stop(),
		};
		// In the order of the plan: the streams are forked one after the other.
		for (const kind of Object.keys(strikes) as FaultKind[]) this.every(kind, rates[kind], strikes[kind]);
	}

	/** No new faults; everything is mended and every member started. */
	heal(): void {
		this.stopped = true;
		this.network.healAll();
		for (const member of this.fleet.all) {
			// It would hand over, and be away, when everybody is to be at rest.
			if (member.stopping) member.crash("process");
			member.points.disarm();
			member.resume();
			member.disk.mend();
			member.stores.mend();
			member.mayLive();
			// All others may have moved while a member had no store, and then nobody can tell it where they are.
			member.takeUpOldAddresses();
			member.start();
		}
		this.note("heal", []);
	}

	note(fault: string, members: readonly SimMember[], strike = ""): void {
		this.notes.push({ atMs: this.time.nowUs / 1_000, fault, members: members.map((member) => member.name), strike });
	}

	private every(kind: FaultKind, meanMs: number, strike: () => void): void {
		const dice = this.streams(kind);
		if (meanMs === 0) return;
		let number = 0;
		const again = (): void => {
			this.time.after(dice.range(1, 2 * meanMs) * 1_000, () => {
				if (this.stopped) return;
				const name = `${kind} ${++number}`;
				// The draws of one strike are no more than one draw to the next ones.
				this.dice = dice.fork(name);
				if (!this.spared.has(name)) {
					this.strike = name;
					strike();
				}
				again();
			});
		};
		again();
	}
	private strike = "";

	private any(): SimMember {
		return this.dice.pick(this.fleet.present);
	}

	private later(maxMs: number, mend: () => void): void {
		this.time.after(this.dice.range(1, maxMs) * 1_000, () => {
			if (!this.stopped) mend();
		});
	}

	/** Dies at one of its next operations, whichever that is, perhaps in the middle of the start that follows. */
	private crashPoint(): void {
		const { dice } = this;
		const victim = this.any();
		const area = dice.pick(CRASH_AREAS);
		this.record("crash point", [victim]);
		const after = dice.range(1, area === null || area === "send" || area === "receive" ? 300 : 40);
		victim.points.arm({ after, area, kind: dice.pick(["process", "power"] as const) });
		if (!dice.chance(1, 3)) return;
		// Its start is a long row of operations, and has to stand this as well.
		victim.crash("power");
		victim.points.arm({ after: dice.range(1, 60), area: null, kind: "power" });
		this.later(500, () => victim.start());
	}

	private kill(victims: readonly SimMember[], kind: "process" | "power"): void {
		this.record(kind === "power" ? "power cut" : "kill -9", victims);
		for (const victim of victims) {
			victim.crash(kind);
			this.later(1_500, () => {
				victim.start();
			});
		}
	}

	/** The leader as often as any other: it has something to hand over. */
	private stop(): void {
		const { dice } = this;
		const leader = this.fleet.all.find((member) => member.leads);
		const victim = leader !== undefined && dice.chance(1, 2) ? leader : this.any();
		this.record("stop", [victim]);
		const downMs = dice.range(1, 1_500);
		victim.stop(dice.pick(["process", "power"] as const), () => this.time.after(downMs * 1_000, () => victim.start()));
	}

	private away(): void {
		const victim = this.any();
		this.record("away", [victim]);
		victim.crash(this.dice.pick(["process", "power"] as const));
		this.time.after(this.dice.range(1_000, 5_000) * 1_000, () => {
			if (!this.stopped) victim.start();
		});
	}

	private pause(): void {
		const victim = this.any();
		this.record("pause", [victim]);
		victim.pause();
		this.later(4_000, () => victim.resume());
	}

	private isolate(): void {
		const victims = this.dice.shuffle([...this.fleet.present]).slice(0, this.dice.range(1, Math.max(1, this.fleet.present.length >> 1)));
		this.record("partition", victims);
		this.cutBetween(victims, this.others(victims), true);
	}

	private oneWay(): void {
		const victim = this.any();
		const others = this.others([victim]);
		const deaf = this.dice.chance(1, 2);
		this.record(deaf ? "deaf" : "mute", [victim]);
		if (deaf) this.cutBetween(others, [victim], false);
		else this.cutBetween([victim], others, false);
	}

	/** One member sees both halves; the halves do not see each other. */
	private bridge(): void {
		const [bridge, ...rest] = this.dice.shuffle([...this.fleet.present]);
		if (bridge === undefined || rest.length < 2) return;
		this.record("bridge", [bridge]);
		const half = rest.slice(0, rest.length >> 1);
		this.cutBetween(half, this.others([bridge, ...half]), true);
	}

	/** A link that comes and goes faster than anybody can get used to. */
	private flap(): void {
		const [a, b] = this.dice.shuffle([...this.fleet.present]);
		if (a === undefined || b === undefined) return;
		this.record("flapping link", [a, b]);
		const { dice } = this;
		const untilUs = this.time.nowUs + dice.range(500, 4_000) * 1_000;
		const turn = (down: boolean): void => {
			for (const [from, to] of [
				[a.id, b.id],
				[b.id, a.id],
			] as const) {
				if (down) this.network.cut(from, to);
				else this.network.heal(from, to);
			}
			if (down || this.time.nowUs < untilUs) this.time.after(dice.range(5, 300) * 1_000, () => this.stopped || turn(!down));
		};
		turn(true);
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
		const [a, b] = this.dice.shuffle([...this.fleet.present]);
		if (a === undefined || b === undefined) return;
		this.record(name, [a, b]);
		strike(a, b);
	}

	private slowDisk(): void {
		const victim = this.any();
		this.record("slow disk", [victim]);
		victim.disk.slow(this.dice.range(5, 1_500));
		this.later(3_000, () => victim.disk.mend());
	}

	private failDisk(): void {
		const victim = this.any();
		if (!victim.running) return;
		this.record(`${victim.disk.failSoon()} error`, [victim]);
	}

	/** The log's next segment, the store's records and floors, a state that is received: all meet it; then space comes back. */
	private fullDisk(): void {
		const victim = this.any();
		this.record("full disk", [victim]);
		victim.disk.fill(this.dice.pick([0, 0, 5_000, 40_000]));
		if (this.dice.chance(1, 2)) victim.stores.fill();
		this.later(5_000, () => {
			victim.disk.mend();
			victim.stores.mend();
		});
	}

	/** A flipped bit, met at once by a start, or some time by whoever reads there. */
	private rot(): void {
		const victim = this.dice.pick(this.fleet.roster);
		const target = this.dice.pick(["log", "log", "meta", "store", "place"] as const);
		const allowed = target === "store" ? this.budget.allowsLoss(victim) : this.budget.allowsLogRot(victim);
		if (!allowed || victim.lives === 0) return;
		const where = target === "store" ? victim.stores.rot() : target === "place" ? victim.disk.misplace() : victim.disk.rot(target);
		if (where === null) return;
		this.budget.spoil(victim, target === "place" ? "more" : target === "store" ? "store" : "oneBit");
		this.record(target === "place" ? "misdirected write" : `rot in ${target}`, [victim]);
		if (this.dice.chance(1, 3)) return;
		victim.crash(this.dice.pick(["process", "power"] as const));
		this.later(1_500, () => victim.start());
	}

	/** The machine loses its disks; its member never comes back, and another one takes its place. */
	private wipe(): void {
		const victim = this.dice.pick(this.fleet.roster);
		if (!this.budget.allowsLoss(victim)) return;
		this.record("wipe", [victim]);
		this.budget.spoil(victim, "more");
		const announced = victim.serving;
		victim.discard();
		if (announced) this.time.after(this.dice.range(1, 3_000_000), () => this.onStartAnew(victim));
	}

	/** A copy of its folder is made while it is down; some time later that copy is put in the place of the folder. */
	private oldFolder(): void {
		const victim = this.dice.pick(this.fleet.roster);
		if (victim.running && victim.serving) this.copyAndPutBack(victim, 6_000);
	}

	/**
	 * The same of a leader that was cut off while its clients went on: at its end the copy has entries that nobody else has, and most
	 * often it is put back under the leader that came next.
	 */
	private oldTail(): void {
		const { dice, strike } = this;
		const victim = this.fleet.all.find((member) => member.leads);
		if (victim === undefined || !victim.serving) return;
		const pairs = this.others([victim]).map((other) => [victim.id, other.id] as const);
		for (const [a, b] of pairs) {
			this.network.cut(a, b);
			this.network.cut(b, a);
		}
		this.note("leader alone", [victim], strike);
		this.time.after(dice.range(50, 1_000) * 1_000, () => {
			if (this.stopped) return;
			for (const [a, b] of pairs) {
				this.network.heal(a, b);
				this.network.heal(b, a);
			}
			if (victim.running && victim.present) this.copyAndPutBack(victim, 3_000, dice, strike);
		});
	}

	private copyAndPutBack(victim: SimMember, afterMaxMs: number, dice = this.dice, strike = this.strike): void {
		victim.crash("process");
		const copy = victim.copyFolder();
		const { newestConf } = this.budget;
		this.time.after(dice.range(1, 300) * 1_000, () => this.stopped || victim.start());
		this.time.after(dice.range(1_000, afterMaxMs) * 1_000, () => {
			if (this.stopped || !victim.present || victim.refusedBecause !== null) return;
			victim.crash("process");
			if (this.budget.allowsOldFolder(victim, newestConf)) {
				this.note("old folder", [victim], strike);
				this.budget.spoilByOldFolder(victim);
				victim.putBack(copy);
			}
			victim.start();
		});
	}

	/** Log and votes are whole: it comes back by the log, or by the state of another one, whoever else is there. */
	private loseStore(): void {
		const victim = this.dice.pick(this.fleet.roster);
		if (!this.budget.allowsLoss(victim) || victim.lives === 0 || !victim.present) return;
		this.record("lost store", [victim]);
		this.budget.spoil(victim, "store");
		victim.loseStore(this.dice);
		this.later(1_500, () => victim.start());
	}

	private jumpClock(): void {
		const victim = this.any();
		this.record("clock jump", [victim]);
		victim.jumpWallClock(this.dice.range(-86_400_000, 86_400_000));
	}

	private transfer(): void {
		const from = this.fleet.all.find((member) => member.leads);
		const to = this.any();
		if (from === undefined || from === to) return;
		this.record("transfer", [from, to]);
		from.transferLeadership(to.id);
	}

	private others(than: readonly SimMember[]): SimMember[] {
		return this.fleet.present.filter((member) => !than.includes(member));
	}

	private record(fault: string, members: readonly SimMember[]): void {
		this.notes.push({
			atMs: this.time.nowUs / 1_000,
			fault,
			members: members.map((member) => member.name),
			strike: this.strike,
		});
	}
}
