/** Calls of one tester on real members, each attempt recorded with the moments of its call and its return. */
import { KvClient, RpcError } from "../client/kv-client.ts";
import type { Answer, Attempt, Operation } from "../history/operation.ts";
import { decodeAnswer, encodeOperation, pathOf, refusedAs } from "../history/wire.ts";
import type { StageMember } from "./stage.ts";

export class Recorder {
	/** In the order of their calls. One that is still open stands here as unknown. */
	readonly attempts: Attempt[] = [];
	private last = 0;

	/** Milliseconds of this process's clock; no two moments are equal. */
	moment(): number {
		this.last = Math.max(performance.now(), this.last + 1e-6);
		return this.last;
	}
}

/** Connection refused before a byte was sent, in grpc-js's words: nothing can have happened. */
const NEVER_SENT = /No connection established|ECONNREFUSED/;

/**
 * Connections to each member. Clients beyond so many share them, like the parts of one program: then what many of them ask and are told in
 * one moment is one packet each way, and a call costs all processes together a third of what it costs over one of its own.
 */
export class Connections {
	private static readonly MOST = 8;
	private readonly open = new Map<string, KvClient>();

	to({ name, address }: StageMember, client: number): KvClient {
		const place = `${name}/${client % Connections.MOST}`;
		const found = this.open.get(place) ?? new KvClient(address);
		this.open.set(place, found);
		return found;
	}

	close(): void {
		for (const connection of this.open.values()) connection.close();
	}
}

/** One client: one call at a time; it stays with a member until a call fails there. */
export class Caller {
	readonly id: number;
	/** Highest revision it was told. */
	revision = 1;
	private readonly recorder: Recorder;
	private readonly members: readonly StageMember[];
	private readonly connections: Connections;
	private readonly timeoutMs: number;
	private place: number;

	constructor(id: number, recorder: Recorder, members: readonly StageMember[], connections: Connections, timeoutMs: number) {
		this.id = id;
		this.recorder = recorder;
		this.connections = connections;
		this.members = members;
		this.timeoutMs = timeoutMs;
		this.place = id % members.length;
	}

	/** Null: refused or unknown. Never throws. */
	async call(operation: Operation): Promise<Answer | null> {
		const { recorder } = this;
		const member = this.members[this.place] as StageMember;
		const slot = recorder.attempts.length;
		const attempt = { id: slot, client: this.id, member: member.life, operation, invoked: recorder.moment() };
		recorder.attempts.push({ ...attempt, outcome: { kind: "unknown" } });
		const outcome = await this.attempt(member, operation);
		recorder.attempts[slot] = { ...attempt, outcome };
		if (outcome.kind === "ok") {
			this.revision = Math.max(this.revision, outcome.answer.revision);
			return outcome.answer;
		}
		if (outcome.kind === "unknown" || outcome.as === "other") this.place = (this.place + 1) % this.members.length;
		return null;
	}

	private async attempt(member: StageMember, operation: Operation): Promise<Attempt["outcome"]> {
		try {
			const bytes = await this.connections.to(member, this.id).raw(pathOf(operation), Buffer.from(encodeOperation(operation)), {
				timeoutMs: this.timeoutMs,
			});
			const answer = decodeAnswer(operation, bytes);
			return { kind: "ok", answer, returned: this.recorder.moment() };
		} catch (error) {
			if (!(error instanceof RpcError)) throw error;
			const as = NEVER_SENT.test(error.text) ? "other" : refusedAs(error.code, error.text);
			return as === null ? { kind: "unknown", gaveUp: this.recorder.moment() } : { kind: "refused", as, returned: this.recorder.moment() };
		}
	}
}
