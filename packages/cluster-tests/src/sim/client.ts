import type { Attempt, Operation } from "../history/operation.ts";
import { decodeAnswer, encodeOperation, pathOf, refusedAs } from "../history/wire.ts";
import type { SimMember } from "./member.ts";
import type { PartWorld } from "./parts.ts";
import type { Known, Workload } from "./workload.ts";

/** One client: one request at a time, to a member of its choice, and never the same request again. */
export class SimClient implements Known {
	private readonly id: number;
	private readonly world: PartWorld;
	private readonly attempts: Attempt[];
	private readonly workload: Workload;
	private readonly timeoutUs: number;
	private stopped = false;
	private busy = false;
	/** Highest revision it was told. */
	revision = 1;

	/** `attempts`: where all clients of the run write down what they did, in the order of their calls. */
	constructor(options: {
		readonly id: number;
		readonly world: PartWorld;
		readonly attempts: Attempt[];
		readonly workload: Workload;
		readonly timeoutMs: number;
	}) {
		this.id = options.id;
		this.world = options.world;
		this.attempts = options.attempts;
		this.workload = options.workload;
		this.timeoutUs = options.timeoutMs * 1_000;
	}

	get idle(): boolean {
		return !this.busy;
	}

	start(): void {
		this.world.time.later(this.world.dice.range(0, 20_000), () => this.next());
	}

	stop(): void {
		this.stopped = true;
	}

	private next(): void {
		if (this.stopped) return;
		const member = this.world.dice.pick(this.world.members());
		if (!member.serving) {
			this.world.time.later(this.world.dice.range(1_000, 20_000), () => this.next());
			return;
		}
		this.perform(this.workload.next(this.id, this), member, () =>
			this.world.time.later(this.world.dice.range(100, 30_000), () => this.next()),
		);
	}

	/** One attempt; `done` runs when its outcome is known, or will never be. */
	perform(operation: Operation, member: SimMember, done: (attempt: Attempt) => void): void {
		this.busy = true;
		const invoked = this.world.moment();
		const slot = this.attempts.length;
		const attempt = { id: slot, client: this.id, member: member.name, operation, invoked };
		this.attempts.push({ ...attempt, outcome: { kind: "unknown" } });
		let settled = false;
		const settle = (outcome: Attempt["outcome"]): void => {
			if (settled) return;
			settled = true;
			this.busy = false;
			if (outcome.kind === "ok") this.revision = Math.max(this.revision, outcome.answer.revision);
			const finished = { ...attempt, outcome };
			this.attempts[slot] = finished;
			done(finished);
		};
		const cancel = member.call(pathOf(operation), encodeOperation(operation), this.timeoutUs / 1_000, {
			respond: (bytes) => settle({ kind: "ok", answer: decodeAnswer(operation, bytes), returned: this.world.moment() }),
			fail: ({ code, message }) => {
				const as = refusedAs(code, message);
				settle(as === null ? { kind: "unknown" } : { kind: "refused", as, returned: this.world.moment() });
			},
			gone: () => settle({ kind: "unknown" }),
		});
		this.world.time.later(this.timeoutUs, () => {
			if (settled) return;
			cancel();
			settle({ kind: "unknown" });
		});
	}
}
