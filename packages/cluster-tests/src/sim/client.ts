import type { Dice } from "@flotilla/base";
import type { Attempt, Operation } from "../history/operation.ts";
import { decodeAnswer, encodeOperation, pathOf, refusedAs } from "../history/wire.ts";
import type { SimMember } from "./member.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { Known, Workload } from "./workload.ts";

/** All attempts of a run in the order of their calls. Times are virtual microseconds, with the step as tie-breaker. */
export class Recorder {
	readonly attempts: Attempt[] = [];
	private readonly time: VirtualTime;

	constructor(time: VirtualTime) {
		this.time = time;
	}

	/** No two moments are equal: what is recorded later has the greater time. */
	moment(): number {
		this.lastMoment = Math.max(this.time.nowUs, this.lastMoment + 0.001);
		return this.lastMoment;
	}
	private lastMoment = 0;
}

/** One client: one request at a time, to a member of its choice, and never the same request again. */
export class SimClient implements Known {
	private readonly id: number;
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly recorder: Recorder;
	private readonly members: () => readonly SimMember[];
	private readonly workload: Workload;
	private readonly timeoutUs: number;
	private stopped = false;
	private busy = false;
	/** Highest revision it was told. */
	revision = 1;

	constructor(options: {
		readonly id: number;
		readonly time: VirtualTime;
		readonly dice: Dice;
		readonly recorder: Recorder;
		readonly members: () => readonly SimMember[];
		readonly workload: Workload;
		readonly timeoutMs: number;
	}) {
		this.id = options.id;
		this.time = options.time;
		this.dice = options.dice;
		this.recorder = options.recorder;
		this.members = options.members;
		this.workload = options.workload;
		this.timeoutUs = options.timeoutMs * 1_000;
	}

	get idle(): boolean {
		return !this.busy;
	}

	start(): void {
		this.time.after(this.dice.range(0, 20_000), () => this.next());
	}

	stop(): void {
		this.stopped = true;
	}

	private next(): void {
		if (this.stopped) return;
		const member = this.dice.pick(this.members());
		if (!member.serving) {
			this.time.after(this.dice.range(1_000, 20_000), () => this.next());
			return;
		}
		this.perform(this.workload.next(this.id, this), member, () => this.time.after(this.dice.range(100, 30_000), () => this.next()));
	}

	/** One attempt; `done` runs when its outcome is known, or will never be. */
	perform(operation: Operation, member: SimMember, done: (attempt: Attempt) => void): void {
		this.busy = true;
		const invoked = this.recorder.moment();
		const slot = this.recorder.attempts.length;
		const attempt = { id: slot, client: this.id, member: member.name, operation, invoked };
		this.recorder.attempts.push({ ...attempt, outcome: { kind: "unknown" } });
		let settled = false;
		const settle = (outcome: Attempt["outcome"]): void => {
			if (settled) return;
			settled = true;
			this.busy = false;
			if (outcome.kind === "ok") this.revision = Math.max(this.revision, outcome.answer.revision);
			const finished = { ...attempt, outcome };
			this.recorder.attempts[slot] = finished;
			done(finished);
		};
		const cancel = member.call(pathOf(operation), encodeOperation(operation), this.timeoutUs / 1_000, {
			respond: (bytes) => settle({ kind: "ok", answer: decodeAnswer(operation, bytes), returned: this.recorder.moment() }),
			fail: ({ code, message }) => {
				const as = refusedAs(code, message);
				settle(as === null ? { kind: "unknown" } : { kind: "refused", as, returned: this.recorder.moment() });
			},
			gone: () => settle({ kind: "unknown" }),
		});
		this.time.after(this.timeoutUs, () => {
			if (settled) return;
			cancel();
			settle({ kind: "unknown" });
		});
	}
}
