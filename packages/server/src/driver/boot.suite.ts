/** One machine in virtual time: a member boots on simulated disks, and is crashed between any two steps. */
import { etcdserverpb } from "@flotilla/api";
import { assert, Dice, portableBytes, type TapEventName, type TapFields } from "@flotilla/base";
import { PLAIN_RANGE } from "@flotilla/mvcc";
import { CommandKind, ReadCall, WriteCall } from "@flotilla/replica";
import { type DiskCrash, SimDisk } from "../disk/memory-disk.ts";
import { DEFAULT_MEMBER_OPTIONS, type MemberConfig } from "../member-config.ts";
import type { PeerTransport, StateDoors, StateExport, StoreCompletion, StoreHouse, StoreOp, StoreOpening } from "../ports.ts";
import { MemoryStore } from "../stores/memory-store.ts";
import { type Booted, bootMember } from "./boot.ts";
import type { OtherMember } from "./recovery-steps.ts";
import type { StartRefusal } from "./refusal.ts";
import { REJOIN_RULES, type RejoinRules } from "./rejoin.ts";

export const MEMBER_ID = 0x8e9e05c52164694dn;
export const CLUSTER_ID = 0xcdf818194e3a8c32n;

export function testConfig(change: Partial<MemberConfig> = {}): MemberConfig {
	const urls = ["http://127.0.0.1:2380"];
	return {
		...DEFAULT_MEMBER_OPTIONS,
		name: "one",
		dataDir: "one",
		listenClientUrls: [],
		advertiseClientUrls: ["http://127.0.0.1:2379"],
		listenPeerUrls: urls,
		initialAdvertisePeerUrls: urls,
		initialCluster: [{ id: MEMBER_ID, name: "one", peerUrls: urls }],
		memberId: MEMBER_ID,
		clusterId: CLUSTER_ID,
		walSegmentBytes: 16 << 10,
		...change,
	};
}

interface Event {
	readonly atMs: number;
	readonly order: number;
	readonly work: () => void;
}

/** Work of one process life is dropped when the life has ended. */
class Loop {
	nowMs = 0;
	steps = 0;
	private order = 0;
	private events: Event[] = [];

	after(ms: number, work: () => void): () => void {
		const event = { atMs: this.nowMs + ms, order: this.order++, work };
		this.events.push(event);
		return () => {
			this.events = this.events.filter((other) => other !== event);
		};
	}

	/** Runs the next piece of work; false when there is none. */
	step(): boolean {
		let next = this.events[0];
		if (next === undefined) return false;
		for (const event of this.events) {
			if (event.atMs < next.atMs || (event.atMs === next.atMs && event.order < next.order)) next = event;
		}
		this.events = this.events.filter((event) => event !== next);
		this.nowMs = Math.max(this.nowMs, next.atMs);
		this.steps++;
		next.work();
		return true;
	}

	clear(): void {
		this.events = [];
	}
}

/** The parts of a state, or why there is none. */
export type Giver = readonly Uint8Array[] | string;

/** What a store's disk answers from now on. */
export interface StoreFault {
	readonly at: "list" | "open" | "make" | StoreOp["kind"];
	readonly error: string;
	readonly damaged: boolean;
}

const NOWHERE: PeerTransport = { send() {}, setMembers() {}, close: () => Promise.resolve() };

export class Machine {
	readonly loop = new Loop();
	readonly dice: Dice;
	readonly events: Array<{ readonly name: TapEventName; readonly fields: TapFields }> = [];
	readonly deaths: string[] = [];
	disk: SimDisk;
	/** By generation; open ones are those that the present life uses. */
	stores = new Map<string, MemoryStore>();
	private open = new Set<string>();
	/** Met by generation 1; `make` by any. */
	storeFault: StoreFault | null = null;
	/** Where another member of the cluster answers, and who was asked for. */
	othersAnswer: string | null = null;
	asked: readonly OtherMember[] = [];
	/** How other members answer that are asked for their state, one after the other; the last one ever after. Null: nobody can be asked. */
	givers: readonly Giver[] | null = null;
	/** A test that plants a bug breaks one of them. */
	rejoinRules: RejoinRules = REJOIN_RULES;
	/** Who was asked for it. */
	readonly askedForState: string[] = [];
	/** Whom others name as members. */
	named: readonly OtherMember[] = [];
	booted: Booted | null = null;
	refusal: StartRefusal | null = null;

	constructor(seed: number | string) {
		this.dice = new Dice(seed);
		const schedule = (work: () => void, extraMs: number): void => void this.loop.after(this.dice.range(50, 400) / 1_000 + extraMs, work);
		this.disk = new SimDisk({ schedule, dice: this.dice.fork("disk") });
	}

	/** Begins a start; it goes on with the steps of the loop. */
	begin(config: MemberConfig = testConfig()): void {
		this.booted = null;
		this.refusal = null;
		const { loop } = this;
		const world = {
			clock: { monotonicMs: () => loop.nowMs, wallMs: () => 0 },
			scheduler: {
				soon: (work: () => void) => void loop.after(0.01, work),
				after: (ms: number, work: () => void) => loop.after(ms, work),
			},
			tap: { emit: (name: TapEventName, _term: number, _index: number, fields: TapFields = {}) => void this.events.push({ name, fields }) },
			bytes: portableBytes,
			dice: this.dice.fork("life"),
			disk: this.disk,
			stores: this.house(),
			die: (reason: string) => void this.deaths.push(reason),
			removed: () => {},
			askOthers: (_clusterId: bigint, members: readonly OtherMember[], answer: (alive: string | null) => void) => {
				this.asked = members;
				loop.after(1, () => answer(this.othersAnswer));
			},
		};
		bootMember(config, { ...world, rejoinRules: this.rejoinRules, ...(this.givers && { stateDoors: this.doors() }) }, (outcome) => {
			if (outcome.ok) this.booted = outcome.booted;
			else this.refusal = outcome.refusal;
		});
	}

	private doors(): StateDoors {
		const { later } = this;
		return {
			find: (_seeker, _urls, done) => later(() => done(this.named)),
			ask: (_seeker, { id, peerUrls }, done) =>
				later(() => {
					const giver = this.givers?.[Math.min(this.askedForState.length, this.givers.length - 1)] ?? "nobody there";
					this.askedForState.push(`${id} at ${peerUrls.join(",")}`);
					if (typeof giver === "string") done({ ok: false, removed: giver === "removed", reason: giver });
					else done({ ok: true, state: this.giving(giver) });
				}),
		};
	}

	private giving(parts: readonly Uint8Array[]): StateExport {
		let at = 0;
		return {
			next: (done) =>
				this.later(() => {
					const bytes = parts[at++];
					const last = at === parts.length;
					if (bytes === undefined) done({ kind: "failed", reason: "it closed the connection" });
					else done({ kind: "bytes", bytes, last, bytesLeft: last ? 0 : 1 });
				}),
			close: () => {},
		};
	}

	/** The state of this member as it gives it to another one, part by part. */
	image(): readonly Uint8Array[] {
		const state = this.up.driver.giveState();
		assert(state !== null, "nobody else fetches it");
		const parts: Uint8Array[] = [];
		let ended = false;
		const next = (): void =>
			state.next((part) => {
				assert(part.kind === "bytes", "a state that nothing disturbs is handed out");
				parts.push(part.bytes.slice());
				ended = part.last;
				if (!ended) next();
			});
		next();
		this.runUntil(() => ended);
		state.close();
		return parts;
	}

	/** A whole start. Returns the refusal's code, or null. */
	boot(config: MemberConfig = testConfig()): string | null {
		this.begin(config);
		this.runUntil(() => this.booted !== null || this.refusal !== null);
		return (this.refusal as StartRefusal | null)?.code ?? null;
	}

	/** Starts the member that has booted and waits until it may serve. */
	serve(config: MemberConfig = testConfig()): void {
		const { driver } = this.up;
		driver.start(NOWHERE);
		driver.publish(config.name, config.advertiseClientUrls);
		this.runUntil(() => driver.status().published);
	}

	get up(): Booted {
		assert(this.booted !== null, "the member has booted");
		return this.booted;
	}

	runUntil(holds: () => boolean, stepsMax = 200_000): void {
		for (let step = 0; step < stepsMax; step++) {
			if (holds()) return;
			if (!this.loop.step()) break;
		}
		throw new Error(`did not come about: ${holds.toString()}`);
	}

	put(key: string, value: string): { done: boolean; ok: boolean } {
		const state = { done: false, ok: false };
		const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
		const payload = etcdserverpb.PutRequest.encode({ ...PUT, key: encode(key), value: encode(value) });
		this.up.driver.write(
			new WriteCall(CommandKind.put, payload, "", 0, 0, (outcome) => {
				state.done = true;
				state.ok = outcome.ok;
			}),
		);
		return state;
	}

	/** Puts, one after another, each acknowledged. */
	putAll(keys: readonly string[]): void {
		for (const key of keys) {
			const put = this.put(key, `value of ${key}`);
			this.runUntil(() => put.done);
			assert(put.ok, "a lone member takes every write");
		}
	}

	get(key: string): string | null {
		let found: string | null | undefined;
		this.up.driver.read(
			new ReadCall(0, (outcome) => {
				assert(outcome.ok, "a lone member serves every read");
				const { store } = this.up.driver;
				const request = { ...RANGE, key: new TextEncoder().encode(key) };
				const result = store.range(request);
				assert(result.ok, "a range of the present is served");
				const pair = result.kvs[0];
				found =
					pair === undefined ? null : new TextDecoder().decode(pair).includes(`value of ${key}`) ? `value of ${key}` : "another value";
			}),
		);
		this.runUntil(() => found !== undefined);
		return found ?? null;
	}

	/** Ends the process; the machine goes on (`process`) or loses its power. */
	crash(kind: DiskCrash): void {
		this.loop.clear();
		this.disk = this.disk.crash(kind);
		for (const generation of this.open) {
			const store = this.stores.get(generation);
			if (store !== undefined) this.stores.set(generation, store.crash(kind, this.dice, this.storeSteps));
		}
		this.open = new Set();
		this.booted = null;
	}

	/** Another process on the same data folder, while this one runs. */
	rival(): Machine {
		this.runUntil(() => this.disk.operationsUnderWay === 0);
		const rival = new Machine("rival");
		const schedule = (work: () => void): void => void rival.loop.after(0.1, work);
		rival.disk = this.disk.copy({ schedule });
		rival.stores = this.stores;
		rival.open = this.open;
		return rival;
	}

	/** A clean stop. */
	stop(): void {
		const { up } = this;
		up.driver.end();
		let closed = false;
		up.close(() => {
			closed = true;
		});
		this.runUntil(() => closed);
		this.loop.clear();
		this.booted = null;
	}

	private readonly storeSteps = (work: () => void): void => void this.loop.after(this.dice.range(20, 300) / 1_000, work);

	private readonly later = (work: () => void): void => void this.loop.after(0.05, work);

	private house(): StoreHouse {
		const { later } = this;
		return {
			list: (done) =>
				later(() => {
					if (this.storeFault?.at === "list") done([], this.storeFault.error);
					else done([...this.stores.keys()].sort());
				}),
			open: (generation, create, done) => later(() => done(this.openStore(generation, create))),
			remove: (generation, done) =>
				later(() => {
					assert(!this.open.has(generation), "an open store is not removed");
					this.stores.delete(generation);
					done(null);
				}),
			sync: (done) => later(() => done(null)),
		};
	}

	private openStore(generation: string, create: boolean): StoreOpening {
		if (this.open.has(generation)) return { ok: false, code: "locked", text: "the lock is held" };
		const found = this.stores.get(generation);
		const fault = found === undefined || generation === "1" ? this.storeFault : null;
		if (fault?.at === (found === undefined ? "make" : "open")) {
			return { ok: false, code: fault.damaged ? "damaged" : "io", text: fault.error };
		}
		if (found === undefined && !create) return { ok: false, code: "missing", text: "the folder does not exist" };
		const store = found === undefined ? new MemoryStore(this.storeSteps) : found.reopen(this.storeSteps);
		this.stores.set(generation, store);
		this.open.add(generation);
		const close = (done: () => void): void => {
			if (!store.idle) {
				this.later(() => close(done));
				return;
			}
			this.open.delete(generation);
			this.later(done);
		};
		const submit = (op: StoreOp): void => {
			if (generation !== "1" || op.kind !== fault?.at) MemoryStore.prototype.submit.call(store, op);
			else this.storeSteps(() => store.onCompletion(failedOp(op.id, fault)));
		};
		return { ok: true, store: Object.assign(store, { close, submit }) };
	}
}

function failedOp(id: number, { error, damaged }: StoreFault): StoreCompletion {
	return { id, error, damaged, rows: null, records: null };
}

const PUT = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
const RANGE = { ...PLAIN_RANGE, serializable: true };
