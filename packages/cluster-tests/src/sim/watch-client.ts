import type { Dice } from "@flotilla/base";
import { isProgress, STREAM_ID, type StreamRecord, type WatchAnswer, type WatchAsk } from "../history/watch-record.ts";
import { decodeWatchResponse, encodeCancel, encodeCreate, encodeProgress, WATCH_PATH } from "../history/watch-wire.ts";
import type { ClientStream } from "./member-calls.ts";
import type { PartWorld } from "./parts.ts";

export interface WatchClientPlan {
	readonly keys: number;
	/** Streams that stop reading for a while, of a hundred steps. */
	readonly stallPercent: number;
	readonly cancelPercent: number;
	readonly progressPercent: number;
	readonly reconnectPercent: number;
}

/** A watcher as its owner sees it: it outlives streams, each time going on behind what it has heard. */
interface Wish {
	ask: WatchAsk;
	/** Where the next stream is to begin; 0: from then on. */
	resume: number;
}

const WISHES_MAX = 4;
const STEP_MS_MAX = 400;
const RECONNECT_US = 50_000;

/**
 * One client with one stream at a time and some watchers on it. It asks for more, gives some up, stops reading for a while, asks
 * for progress, and goes to another member when its own is gone, as the clients of the protocol do.
 */
export class WatchClient {
	readonly records: StreamRecord[] = [];
	private readonly name: string;
	private readonly plan: WatchClientPlan;
	private readonly world: PartWorld;
	private readonly dice: Dice;
	private readonly keys: readonly string[];
	private readonly wishes: Wish[] = [];
	private stream: ClientStream | null = null;
	private record: StreamRecord | null = null;
	/** Wishes whose created response is due, in order; those that are there, by id. */
	private asked: Wish[] = [];
	private live = new Map<string, Wish>();
	private nextId = 0;
	private stalled = false;
	private stopped = false;

	constructor(name: string, plan: WatchClientPlan, world: PartWorld) {
		this.name = name;
		this.plan = plan;
		this.world = world;
		this.dice = world.dice;
		this.keys = Array.from({ length: plan.keys }, (_, at) => `k${String.fromCharCode(97 + at)}`);
	}

	start(): void {
		// Everything from the first revision on, with what was before: what this member says that happened.
		this.wishes.push({ ask: { ...this.draw(), key: "\0", end: "\0", prevKv: true, noPut: false, noDelete: false }, resume: 1 });
		this.connect();
		this.stepLater();
	}

	/** No new watchers; what there is goes on being read. */
	stop(): void {
		this.stopped = true;
		this.unstall();
	}

	/** All that it wants is on its way from a member. */
	get settled(): boolean {
		return this.stream !== null && this.asked.length === 0 && !this.stalled;
	}

	private stepLater(): void {
		this.world.time.after(this.dice.range(1, STEP_MS_MAX) * 1_000, () => this.step());
	}

	private step(): void {
		if (this.stopped) return;
		const { plan, dice, stream } = this;
		if (stream !== null) {
			if (this.wishes.length < WISHES_MAX) this.wish();
			if (dice.chance(plan.cancelPercent, 100)) this.cancelOne(stream);
			if (dice.chance(plan.progressPercent, 100)) {
				this.note({ kind: "progress", at: this.world.moment() });
				stream.send(encodeProgress());
			}
			if (this.stalled) this.unstall();
			else if (dice.chance(plan.stallPercent, 100)) this.stalled = true;
			if (dice.chance(plan.reconnectPercent, 100)) this.leave(stream);
		}
		this.stepLater();
	}

	private wish(): void {
		const known = Math.max(1, ...this.wishes.map(({ resume }) => resume));
		const { dice } = this;
		const wish: Wish = { ask: this.draw(), resume: dice.chance(1, 2) ? 0 : Math.max(1, known + dice.range(-30, 5)) };
		this.wishes.push(wish);
		this.ask(wish);
	}

	private draw(): WatchAsk {
		const { dice } = this;
		const end = dice.pick(["", "", "\0", "ke", "l"]);
		const key = dice.pick(this.keys);
		return {
			key,
			end: end === "ke" && key >= end ? "" : end,
			...{ start: 0, id: "0", prevKv: dice.chance(1, 2), noPut: dice.chance(1, 6), noDelete: dice.chance(1, 6) },
			...{ fragment: dice.chance(1, 3), progressNotify: dice.chance(1, 2) },
		};
	}

	// ---- the stream

	private connect(): void {
		const serving = this.world.members().filter(({ serving }) => serving);
		if (serving.length === 0) {
			this.connectLater();
			return;
		}
		const member = this.dice.pick(serving);
		const record: StreamRecord = { name: `${this.name}.${this.records.length}`, member: member.name, entries: [], endedAt: null };
		this.records.push(record);
		this.record = record;
		this.live = new Map();
		this.asked = [];
		this.stalled = false;
		const lost = (): void => this.lost(record);
		const stream = member.openStream(WATCH_PATH, {
			message: (bytes) => {
				if (this.record === record) this.hear(decodeWatchResponse(bytes));
				return !this.stalled;
			},
			ended: lost,
			gone: lost,
		});
		if (this.record !== record) return;
		this.stream = stream;
		for (const wish of this.wishes) this.ask(wish);
	}

	private connectLater(): void {
		this.world.time.after(RECONNECT_US, () => {
			if (this.stream === null) this.connect();
		});
	}

	private lost(record: StreamRecord): void {
		if (record.endedAt !== null) return;
		record.endedAt = this.world.moment();
		if (this.record !== record) return;
		this.record = null;
		this.stream = null;
		this.connectLater();
	}

	private leave(stream: ClientStream): void {
		const { record } = this;
		stream.cancel();
		if (record !== null) this.lost(record);
	}

	private ask(wish: Wish): void {
		const id = this.dice.chance(1, 3) ? String(100 + this.nextId++) : "0";
		wish.ask = { ...wish.ask, id, start: wish.resume };
		this.asked.push(wish);
		this.note({ kind: "create", at: this.world.moment(), ask: wish.ask });
		this.stream?.send(encodeCreate(wish.ask));
	}

	private cancelOne(stream: ClientStream): void {
		const [id, wish] = this.dice.pick([...this.live, ["none", null] as const]);
		// The first wish, for everything, is kept.
		if (wish === null || wish === this.wishes[0]) return;
		this.wishes.splice(this.wishes.indexOf(wish), 1);
		this.live.delete(id);
		this.note({ kind: "cancel", at: this.world.moment(), id });
		stream.send(encodeCancel(id));
	}

	private unstall(): void {
		if (!this.stalled) return;
		this.stalled = false;
		this.stream?.drain();
	}

	private hear(answer: WatchAnswer): void {
		this.note({ kind: "answer", at: this.world.moment(), answer });
		if (answer.created) this.created(answer);
		else if (answer.compactRevision > 0) this.compacted(answer);
		else if (answer.id === STREAM_ID) for (const wish of this.live.values()) advance(wish, answer.revision);
		else {
			const wish = this.live.get(answer.id);
			if (wish === undefined) return;
			if (isProgress(answer)) advance(wish, answer.revision);
			// A cut revision is asked for anew.
			else if (!answer.fragment) advance(wish, answer.events.at(-1)?.mod ?? 0);
		}
	}

	private created(answer: WatchAnswer): void {
		const wish = this.asked.shift();
		if (wish === undefined || answer.canceled) return;
		this.live.set(answer.id, wish);
		if (wish.resume === 0) advance(wish, answer.revision);
	}

	/** The owner looks at the present state, which is after the compaction, and goes on from there. */
	private compacted({ id, compactRevision }: WatchAnswer): void {
		const wish = this.live.get(id);
		if (wish === undefined) return;
		this.live.delete(id);
		wish.resume = compactRevision;
		this.world.time.after(1_000, () => {
			if (this.stream !== null && this.wishes.includes(wish) && !this.asked.includes(wish)) this.ask(wish);
		});
	}

	private note(entry: StreamRecord["entries"][number]): void {
		this.record?.entries.push(entry);
	}
}

function advance(wish: Wish, revision: number): void {
	wish.resume = Math.max(wish.resume, revision + 1);
}
