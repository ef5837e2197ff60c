/** What all streams have in common: who may open one, and when the member ends one by itself. */
import { NO_NODE } from "@flotilla/raft";
import type { MethodHandler, Status, StreamCall, StreamHandler } from "../front/seam.ts";
import { sendInParts } from "../front/send-in-parts.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { needsLeader, refusalAtDoor } from "./door.ts";

/** So often in a row the leader must be missing, an election timeout apart, before streams that need one end (etcd API 3.11). */
const LOOKS_WITHOUT_LEADER = 3;

export class OpenStreams {
	private readonly deps: ServiceDeps;
	private readonly open = new Set<GuardedStream>();
	private readonly needLeader = new Set<GuardedStream>();
	private looking = false;
	private looksWithoutLeader = 0;
	private ended = false;

	constructor(deps: ServiceDeps) {
		this.deps = deps;
	}

	/** A method whose client and server stream. */
	bidi(path: string, handle: StreamHandler): readonly [string, MethodHandler] {
		return [path, { shape: "stream", clientStreams: true, serverStreams: true, handle: (call) => this.begin(path, call, handle) }];
	}

	/** A method whose client sends one message. */
	serverStream(path: string, handle: StreamHandler): readonly [string, MethodHandler] {
		return [path, { shape: "stream", clientStreams: false, serverStreams: true, handle: (call) => this.begin(path, call, handle) }];
	}

	/** The member stops: clients go on at another one. */
	end(): void {
		this.ended = true;
		for (const stream of [...this.open]) stream.stop(statusOf("stopped"));
	}

	private begin(path: string, call: StreamCall, handle: StreamHandler): void {
		const refusal = this.ended ? statusOf("stopped") : refusalAtDoor(path, call, this.deps);
		if (refusal !== null) {
			call.end(refusal);
			return;
		}
		const stream = new GuardedStream(call, () => this.forget(stream));
		this.open.add(stream);
		if (needsLeader(call)) {
			this.needLeader.add(stream);
			this.lookLater();
		}
		handle(stream);
	}

	private forget(stream: GuardedStream): void {
		this.open.delete(stream);
		this.needLeader.delete(stream);
	}

	private lookLater(): void {
		if (this.looking) return;
		this.looking = true;
		this.deps.afterTicks(this.deps.options.electionTicks, () => {
			this.looking = false;
			this.look();
		});
	}

	private look(): void {
		if (this.needLeader.size === 0) {
			this.looksWithoutLeader = 0;
			return;
		}
		this.looksWithoutLeader = this.deps.member.status().leader === NO_NODE ? this.looksWithoutLeader + 1 : 0;
		if (this.looksWithoutLeader >= LOOKS_WITHOUT_LEADER) {
			this.looksWithoutLeader = 0;
			for (const stream of [...this.needLeader]) stream.stop(statusOf("noLeader"));
		}
		if (this.needLeader.size > 0) this.lookLater();
	}
}

/** A stream that says once that it is over, whoever ended it. */
class GuardedStream implements StreamCall {
	readonly path: string;
	readonly peer: string;
	private readonly call: StreamCall;
	private readonly forget: () => void;
	private readonly endListeners: Array<() => void> = [];
	private over = false;

	constructor(call: StreamCall, forget: () => void) {
		this.path = call.path;
		this.peer = call.peer;
		this.call = call;
		this.forget = forget;
		call.onCancel(() => this.finish());
	}

	get remainingMs(): number {
		return this.call.remainingMs;
	}
	get commonName(): string | undefined {
		return this.call.commonName;
	}
	metadata(key: string): string | undefined {
		return this.call.metadata(key);
	}
	/** Also when the member itself ended it. */
	onCancel(listener: () => void): void {
		this.endListeners.push(listener);
	}
	onMessage(listener: (message: Uint8Array) => void): void {
		this.call.onMessage((message) => {
			if (!this.over) listener(message);
		});
	}
	holdBack(): void {
		this.call.holdBack();
	}
	readOn(): void {
		this.call.readOn();
	}
	onHalfClose(listener: () => void): void {
		this.call.onHalfClose(listener);
	}
	send(message: Uint8Array): boolean {
		return this.over || this.call.send(message);
	}
	sendParts(head: Uint8Array, parts: readonly Uint8Array[]): boolean {
		return this.over || sendInParts(this.call, head, parts);
	}
	onDrain(listener: () => void): void {
		this.call.onDrain(() => {
			if (!this.over) listener();
		});
	}
	end(status: Status): void {
		if (this.over) return;
		this.over = true;
		this.forget();
		this.call.end(status);
	}

	/** Ended by the member, and whoever serves it hears of it. */
	stop(status: Status): void {
		if (this.over) return;
		this.end(status);
		for (const listener of this.endListeners) listener();
	}

	private finish(): void {
		if (this.over) return;
		this.over = true;
		this.forget();
		for (const listener of this.endListeners) listener();
	}
}
