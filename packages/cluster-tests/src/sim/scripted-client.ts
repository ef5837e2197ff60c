/** A client whose life is a generator: it yields what it does next and is handed what came of it. One request at a time. */
import type { ClientWorld, PartCounts } from "./parts.ts";

export type Step =
	| { readonly do: "call"; readonly path: string; readonly request: Uint8Array }
	/** A stream of which the first answer is waited for. */
	| { readonly do: "stream"; readonly path: string; readonly request: Uint8Array }
	| { readonly do: "wait"; readonly us: number };
/** `none`: no answer in time, or the member went away. */
export type Heard =
	| { readonly kind: "answer"; readonly bytes: Uint8Array }
	| { readonly kind: "refused"; readonly text: string }
	| { readonly kind: "none" };
export type Life<Result = void> = Generator<Step, Result, Heard>;

const NO_ANSWER: Heard = { kind: "none" };
/** Until somebody is there to be asked. */
const ALONE_US = 200_000;

export abstract class ScriptedClient {
	readonly tally = { operations: 0, acknowledged: 0, refused: 0, unknown: 0 } satisfies PartCounts;
	/** Its life is over. */
	idle = true;
	protected stopping = false;
	protected readonly world: ClientWorld;
	private readonly timeoutMs: number;

	constructor(world: ClientWorld, timeoutMs: number) {
		this.world = world;
		this.timeoutMs = timeoutMs;
	}

	protected abstract life(): Life;

	start(): void {
		this.idle = false;
		this.run(this.life(), NO_ANSWER);
	}

	/** It is to bring its life to an end. */
	stop(): void {
		this.stopping = true;
	}

	/** The answer of a unary call; null: none, or a refusal. */
	protected *ask(path: string, request: Uint8Array): Life<Uint8Array | null> {
		const heard = yield { do: "call", path, request };
		return heard.kind === "answer" ? heard.bytes : null;
	}

	protected *wait(us: number): Life {
		yield { do: "wait", us };
	}

	private run(life: Life, heard: Heard): void {
		const { done, value } = life.next(heard);
		if (done === true) this.idle = true;
		else this.take(value, (next) => this.run(life, next));
	}

	private take(step: Step, heard: (what: Heard) => void): void {
		const { dice, time } = this.world;
		const members = this.world.members();
		if (step.do === "wait" || members.length === 0) {
			time.after(step.do === "wait" ? step.us : ALONE_US, () => heard(NO_ANSWER));
			return;
		}
		const member = dice.pick(members);
		const { timeoutMs } = this;
		this.tally.operations++;
		let open = true;
		let cancel = (): void => {};
		// What is heard in the turn of the call itself is handled behind it.
		const settle = (what: Heard): void => {
			if (!open) return;
			open = false;
			this.tally[what.kind === "answer" ? "acknowledged" : what.kind === "refused" ? "refused" : "unknown"]++;
			time.after(1, () => {
				cancel();
				heard(what);
			});
		};
		const answer = (bytes: Uint8Array): void => settle({ kind: "answer", bytes: bytes.slice() });
		const gone = (): void => settle(NO_ANSWER);
		time.after(timeoutMs * 1_000, gone);
		if (step.do === "call") {
			const fail = ({ message }: { readonly message: string }): void => settle({ kind: "refused", text: message });
			cancel = member.call(step.path, step.request, timeoutMs, { respond: answer, fail, gone });
			return;
		}
		const message = (bytes: Uint8Array): boolean => {
			answer(bytes);
			return true;
		};
		const stream = member.openStream(step.path, { message, ended: gone, gone });
		cancel = () => stream.cancel();
		stream.send(step.request);
	}
}

export function sumTallies(clients: Iterable<{ readonly tally: PartCounts }>): PartCounts {
	const counts = { operations: 0, acknowledged: 0, refused: 0, unknown: 0 };
	for (const { tally } of clients) for (const name of Object.keys(counts) as Array<keyof PartCounts>) counts[name] += tally[name];
	return counts;
}
