/** One chaos run: a cluster, a load, faults; then peace, and everything that a verdict needs. */
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "@flotilla/base";
import { KvClient } from "../client/kv-client.ts";
import type { Attempt } from "../history/operation.ts";
import { reasonOf } from "../process/reason.ts";
import { eventually, pause } from "../process/wait.ts";
import { contentsOf } from "./contents.ts";
import { lacking } from "./enough.ts";
import type { FaultWorld } from "./faults/fault.ts";
import { FAULTS } from "./faults/index.ts";
import { POINT_FAULT } from "./faults/points.ts";
import { Follower, type WatchRecord } from "./follower.ts";
import { LeaseLoad, type LeaseRecords } from "./lease-load.ts";
import { Nurse } from "./nurse.ts";
import { Observer, type Tenure } from "./observer.ts";
import type { PlaceName } from "./places/place.ts";
import { Programs } from "./programs.ts";
import { Caller, Connections, Recorder } from "./recorder.ts";
import type { FaultLine, Scenario } from "./scenario.ts";
import { type Setting, settingOf } from "./setting.ts";
import { drawMs } from "./span.ts";
import { Stage, type StageMember } from "./stage.ts";
import { TapWatch, type TimelineEvent } from "./tap-watch.ts";
import { Truces } from "./truces.ts";

export interface RunOptions {
	readonly program: "flotilla" | "etcd";
	readonly place: PlaceName;
	readonly seed: string;
	readonly folder: string | null;
	/** The faults go on beyond the scenario's seconds until clients have made so many calls. */
	readonly leastCalls: number;
	/** And until so many faults have struck, and enough has happened for a verdict: a slow machine then proves as much as a quick one. */
	readonly leastFaults?: number;
	/** A line of the scenario of one of whose strikes this is true strikes no more; with `leastFaults` the faults go on until all have. */
	readonly enoughOf?: (line: FaultLine, strike: StruckFault) => boolean;
	/** How long clients rest between two steps; not at all unless it is said. */
	readonly restMs?: number;
	/** Flags for every member, besides the scenario's. */
	readonly flags: readonly string[];
	/** Called now and then with a line for people. */
	readonly progress: (line: string) => void;
	/** Ends the faults early; what happened until then is healed, checked and told like any other run. */
	readonly enough?: AbortSignal;
	/** Called when the members have ended, before their folder goes. */
	readonly keep?: (record: RunRecord, folder: string) => Promise<void>;
}

export interface StruckFault {
	readonly fault: string;
	readonly members: readonly string[];
	readonly fromMs: number;
	readonly untilMs: number;
	readonly notes: readonly string[];
}

export interface FinalState {
	readonly member: string;
	readonly revision: number;
	readonly hash: string;
	readonly contents: string;
}

/** What happened. Times are milliseconds of the tester's clock. */
export interface RunRecord {
	readonly scenario: Scenario;
	readonly setting: Setting;
	readonly seed: string;
	readonly startedMs: number;
	readonly faultsFromMs: number;
	readonly faultsUntilMs: number;
	readonly endedMs: number;
	readonly attempts: readonly Attempt[];
	readonly followers: readonly WatchRecord[];
	readonly leased: LeaseRecords;
	readonly tenures: readonly Tenure[];
	readonly leaderFindings: readonly string[];
	readonly faults: readonly StruckFault[];
	readonly timeline: readonly TimelineEvent[];
	/** Null: the cluster did not come to rest after the faults. */
	readonly finalRevision: number | null;
	readonly finalStates: readonly FinalState[];
	/** Somebody ended it before its time. */
	readonly endedEarly: boolean;
	/** Why it did not come to rest, or what failed in the tester itself. */
	readonly troubles: readonly string[];
}

const REST_MS = 60_000;
const MEND_MS = 240_000;
const PROGRESS_MS = 2_000;
/** Where it takes so long beyond the scenario's seconds until enough has happened, that is the verdict. */
const GO_ON_MS = 300_000;

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<RunRecord> {
	const { program, place, seed, folder } = options;
	const names = (fault: string): boolean => scenario.faults.some((line) => line.fault === fault);
	const flags = [...scenario.flags, ...options.flags];
	const { tls, log } = scenario;
	const made = { clocks: names("clock"), smallDisks: names("full-disk"), faultPoints: names(POINT_FAULT), shortLog: log === "short" };
	const setting = await settingOf(program, place, flags);
	const stage = await Stage.start({ program, place, members: scenario.members, seed, flags, folder, tls, ...made });
	try {
		const run = new Run(scenario, options, stage, setting);
		const record = await run.go().finally(() => run.stopWatching());
		await stage.endMembers();
		await options.keep?.(record, stage.folder);
		return record;
	} finally {
		await stage.close();
	}
}

class Run {
	private readonly scenario: Scenario;
	private readonly options: RunOptions;
	private readonly stage: Stage;
	private readonly setting: Setting;
	private readonly dice: Dice;
	private readonly recorder = new Recorder();
	private readonly followers: readonly Follower[];
	private readonly observer: Observer;
	private readonly taps: TapWatch;
	private readonly programs: Programs;
	private readonly leaseLoad: LeaseLoad;
	private readonly connections = new Connections();
	private readonly callers: readonly Caller[];
	private readonly faults: StruckFault[] = [];
	private readonly troubles: string[] = [];
	private readonly nurse: Nurse;
	private readonly endings = new Set<() => void>();
	private readonly truces = new Truces();
	private linesLeft: number;
	private ending = false;
	private loading = true;

	constructor(scenario: Scenario, options: RunOptions, stage: Stage, setting: Setting) {
		this.scenario = scenario;
		this.options = options;
		this.stage = stage;
		this.setting = setting;
		this.linesLeft = scenario.faults.length;
		this.dice = new Dice(`${options.seed}/${scenario.name}`);
		this.followers = stage.members.map((member) => new Follower(member));
		this.observer = new Observer(stage.members, options.program);
		// Under clocks that are moved the members' stamps mean nothing.
		this.taps = new TapWatch(options.program === "flotilla" && !stage.options.clocks ? stage.members : []);
		this.programs = new Programs(this.dice.fork("load"), scenario, () => Math.min(...this.followers.map(({ next }) => next - 1)));
		this.nurse = new Nurse(
			this.world(this.dice.fork("nurse"), [], () => {}),
			this.troubles,
		);
		const callable = (): StageMember[] => stage.present.filter(({ process }) => process.running);
		this.leaseLoad = new LeaseLoad(scenario, this.dice.fork("leases"), callable, () => this.recorder.moment());
		const { clients, timeoutMs } = scenario;
		this.callers = Array.from({ length: clients }, (_, id) => new Caller(id, this.recorder, stage.members, this.connections, timeoutMs));
	}

	async go(): Promise<RunRecord> {
		const { scenario, options, recorder } = this;
		const startedMs = recorder.moment();
		for (const follower of this.followers) follower.start();
		this.observer.start();
		this.taps.start();
		await eventually("the bank is opened", async () => {
			if (!(await this.programs.openBank(this.callers[0] as Caller))) throw new Error("no answer");
		});
		const clients = this.callers.map((caller) => this.client(caller));
		this.leaseLoad.start();
		await pause(500);
		const faultsFromMs = recorder.moment();
		const lines = scenario.faults.map((line, at) => this.strikeLine(line, this.dice.fork(`fault ${at}`)));
		// Whatever becomes of them is told when the faults end.
		for (const line of lines) line.catch(() => {});
		await this.reportProgress(faultsFromMs);
		await this.endFaults(lines);
		const faultsUntilMs = recorder.moment();
		await pause(1_000);
		this.loading = false;
		this.leaseLoad.stop();
		await Promise.all(clients);
		await this.leaseLoad.ended().catch((error: Error) => this.troubles.push(error.message));
		const final = await this.rest();
		return {
			...{ scenario, setting: this.setting, seed: options.seed, startedMs, faultsFromMs, faultsUntilMs, endedMs: recorder.moment() },
			endedEarly: this.cutShort,
			...{
				attempts: recorder.attempts,
				followers: this.followers.map((follower) => follower.told()),
				leased: this.leaseLoad.records,
				tenures: this.observer.tenures,
				leaderFindings: this.observer.findings,
			},
			...{ faults: this.faults, timeline: this.taps.events, troubles: this.troubles },
			...{ finalRevision: final?.revision ?? null, finalStates: final?.states ?? [] },
		};
	}

	stopWatching(): void {
		for (const follower of this.followers) follower.stop();
		this.connections.close();
		this.leaseLoad.close();
		this.observer.stop();
		this.taps.stop();
	}

	private async client(caller: Caller): Promise<void> {
		while (this.loading) {
			const before = this.recorder.attempts.length;
			await this.programs.step(caller);
			// Whoever finds nobody must not spin.
			const last = this.recorder.attempts[before];
			const { restMs = 0 } = this.options;
			if (last?.outcome.kind !== "ok") await pause(Math.max(restMs, 20));
			else if (restMs > 0) await pause(restMs);
		}
	}

	private async strikeLine(line: FaultLine, dice: Dice): Promise<void> {
		const fault = FAULTS.get(line.fault);
		if (fault === undefined) throw new Error(`there is no fault ${line.fault}`);
		do {
			await this.sleep(drawMs(dice, line.every ?? line.at ?? line.for));
			await this.truces.wait(
				(ms) => this.sleep(ms),
				() => this.ending,
			);
			if (this.ending) return;
			const notes: string[] = [];
			let fromMs = this.recorder.moment();
			const begins = (): void => {
				fromMs = this.recorder.moment();
			};
			const forMs = drawMs(dice, line.for);
			const slot = this.faults.length;
			this.faults.push({ fault: line.fault, members: [], fromMs, untilMs: Number.POSITIVE_INFINITY, notes });
			const over = (members: readonly string[], untilMs: number): void => {
				this.faults[slot] = { fault: line.fault, members, fromMs, untilMs, notes };
			};
			try {
				const members = await fault.strike(this.world(dice, notes, begins), line.details, forMs);
				over(members ?? [], members === null ? fromMs : this.recorder.moment());
				if (members !== null && this.options.enoughOf?.(line, this.faults[slot] as StruckFault) === true) {
					this.linesLeft--;
					return;
				}
			} catch (error) {
				// It is told with the others when the faults end; this line strikes no more.
				over([], this.recorder.moment());
				this.linesLeft--;
				throw new Error(`${line.fault} could not be struck or mended: ${reasonOf(error)}`, { cause: error });
			}
		} while (line.every !== null && !this.ending);
	}

	private world(dice: Dice, notes: string[], begins: () => void): FaultWorld {
		return {
			begins,
			stage: this.stage,
			dice,
			pause: (ms) => this.sleep(ms),
			ending: () => this.ending,
			truce: () => this.truces.ask(),
			replaced: (member) => this.replaced(member),
			note: (text) => notes.push(text),
		};
	}

	private replaced(member: StageMember): void {
		this.followers.find((follower) => follower.member === member)?.restart();
		this.taps.restart(member);
	}

	/** Sleeps, but not beyond the end of the faults. */
	private sleep(ms: number): Promise<void> {
		if (this.ending) return Promise.resolve();
		return new Promise((resolve) => {
			const wake = (): void => {
				clearTimeout(timer);
				this.endings.delete(wake);
				resolve();
			};
			const timer = setTimeout(wake, ms);
			this.endings.add(wake);
		});
	}

	private get cutShort(): boolean {
		return this.options.enough?.aborted === true;
	}

	private async reportProgress(fromMs: number): Promise<void> {
		const untilMs = fromMs + this.scenario.seconds * 1_000;
		let seen = 0;
		let toldMs = fromMs;
		while (performance.now() < untilMs || this.recorder.attempts.length < this.options.leastCalls || this.goesOn(untilMs)) {
			if (this.cutShort) return;
			await this.pauseUnlessCut(Math.min(PROGRESS_MS, Math.max(100, untilMs - performance.now())));
			const sinceMs = performance.now() - toldMs;
			if (sinceMs < PROGRESS_MS && performance.now() >= untilMs) continue;
			toldMs += sinceMs;
			const { attempts } = this.recorder;
			const fresh = attempts.slice(seen);
			seen = attempts.length;
			const ok = fresh.filter(({ outcome }) => outcome.kind === "ok").length;
			const going = this.underWay();
			const leader = this.observer.tenures.at(-1);
			const second = Math.round((performance.now() - fromMs) / 1_000);
			this.options.progress(
				`${String(second).padStart(4)} s  ${String(Math.round((ok * 1_000) / Math.max(1, sinceMs))).padStart(6)} ok/s  leader ${leader?.member ?? "?"} of term ${leader?.term ?? "?"}  ${going.length === 0 ? "" : `under ${going.join(", ")}`}`,
			);
		}
	}

	private async pauseUnlessCut(ms: number): Promise<void> {
		await sleep(ms, undefined, { signal: this.options.enough }).catch(() => {});
	}

	private underWay(): string[] {
		return this.faults.filter(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY).map(({ fault }) => fault);
	}

	private goesOn(untilMs: number): boolean {
		const { leastFaults } = this.options;
		if (leastFaults === undefined || performance.now() > untilMs + GO_ON_MS) return false;
		const { faults, scenario } = this;
		if (faults.filter(({ members }) => members.length > 0).length < leastFaults) return true;
		if (this.options.enoughOf !== undefined && this.linesLeft > 0) return true;
		const { seconds } = scenario;
		return lacking({ scenario, seconds, attempts: this.recorder.attempts, faults, leases: this.leaseLoad.records.leases.size }).length > 0;
	}

	private async endFaults(lines: ReadonlyArray<Promise<void>>): Promise<void> {
		this.ending = true;
		for (const wake of [...this.endings]) wake();
		const late = new Promise<"late">((resolve) => setTimeout(resolve, MEND_MS, "late").unref());
		// Of all of them: one that failed must not be the reason that another is met half mended.
		const mended = await Promise.race([Promise.allSettled(lines), late]);
		if (mended === "late") this.troubles.push(`faults were not mended within ${MEND_MS} ms: ${this.underWay().join(", ")}`);
		else this.troubles.push(...mended.flatMap((line) => (line.status === "rejected" ? [(line.reason as Error).message] : [])));
		await this.stage.links.heal();
		await Promise.race([this.nurse.done(), late]);
		for (const member of this.stage.present) {
			if (member.process.running) await member.process.kill("SIGCONT");
		}
		const down = this.stage.present.filter(({ process }) => !process.running);
		await Promise.all(down.map((member) => this.stage.startMember(member))).catch((error: Error) =>
			this.troubles.push(`a member does not start after the faults: ${error.message}`),
		);
	}

	/** A last write, then every member shows its state at that revision and every watch reaches it. */
	private async rest(): Promise<{ readonly revision: number; readonly states: readonly FinalState[] } | null> {
		const members = this.stage.present;
		const clients = members.map(({ address }) => new KvClient(address));
		try {
			const caller = new Caller(this.callers.length, this.recorder, members, this.connections, 3_000);
			const revision = await eventually(
				"a last write",
				async () => {
					const answer = await caller.call({ kind: "put", key: "zz", value: `last ${this.recorder.attempts.length}` });
					if (answer === null) throw new Error("it was not acknowledged");
					return answer.revision;
				},
				REST_MS,
			);
			const states = await eventually(
				"every member shows its state",
				() => Promise.all(clients.map((client, at) => finalState(client, members[at] as StageMember, revision))),
				REST_MS,
			);
			await eventually(
				"every watch reaches the last write",
				async () => {
					const behind = this.followers.filter(({ member, next }) => members.includes(member) && next <= revision);
					if (behind.length > 0) throw new Error(behind.map(({ member, next }) => `${member.name} at ${next} of ${revision}`).join(", "));
				},
				REST_MS,
			);
			return { revision, states };
		} catch (error) {
			this.troubles.push((error as Error).message);
			return null;
		} finally {
			for (const client of clients) client.close();
		}
	}
}

async function finalState(client: KvClient, member: StageMember, revision: number): Promise<FinalState> {
	const { kvs } = await client.everything({ revision }, { timeoutMs: 10_000 });
	const { hash } = await client.hashKv(revision, { timeoutMs: 10_000 });
	const contents = contentsOf(
		kvs.map((kv) => ({
			...{ key: kv.key.toString("latin1"), value: kv.value.toString("latin1") },
			...{ create: Number(kv.create_revision), mod: Number(kv.mod_revision), version: Number(kv.version) },
		})),
	);
	return { member: member.name, revision, hash: String(hash), contents };
}
