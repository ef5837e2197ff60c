/** Maintenance.Snapshot (etcd API 6.7): the state of one moment as a file in pieces, then its SHA-256. */
import { createHash } from "node:crypto";
import { etcdserverpb } from "@flotilla/api";
import { concatBytes } from "@flotilla/base";
import { Grpc, type MethodHandler, type Status, type StreamCall } from "../front/seam.ts";
import type { StateExport, StatePart } from "../ports.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import type { OpenStreams } from "./open-streams.ts";

const CHUNK_BYTES = 32 << 10;
/** What a view keeps on the disk grows with its age: a client that reads nothing for so long is given up. */
const STALL_MS = 30_000;
const AGE_MAX_MS = 3_600_000;
const STALLED = { code: Grpc.resourceExhausted, message: "etcdserver: the client of this snapshot reads too slowly" } as const;
const BUSY = { code: Grpc.resourceExhausted, message: "etcdserver: another snapshot is being saved from this member" } as const;

export function snapshotMethod(deps: ServiceDeps, streams: OpenStreams): readonly [string, MethodHandler] {
	return streams.serverStream("/etcdserverpb.Maintenance/Snapshot", (call) => {
		let gone = false;
		call.onCancel(() => {
			gone = true;
		});
		call.onMessage(() => {
			const start = (): void => {
				if (gone) return;
				const state = deps.member.exportState();
				if (state === null) call.end(BUSY);
				else new SnapshotStream(call, state, deps).start();
			};
			deps.callers.admit("root", call, start, (fault) => call.end(statusOf(fault)));
		});
	});
}

/** One stream. It goes on as fast as its client reads: one part of the state is in memory, and what the connection holds. */
class SnapshotStream {
	private readonly call: StreamCall;
	private readonly state: StateExport;
	private readonly deps: ServiceDeps;
	private readonly digest = createHash("sha256");
	/** Less than a chunk, for the next one. */
	private rest: Uint8Array = new Uint8Array(0);
	private over = false;
	private blocked = false;
	private stopWaiting: (() => void) | null = null;
	private readonly stopAging: () => void;

	constructor(call: StreamCall, state: StateExport, deps: ServiceDeps) {
		this.call = call;
		this.state = state;
		this.deps = deps;
		this.stopAging = deps.afterTicks(Math.ceil(AGE_MAX_MS / deps.member.tickMs), () => this.end(STALLED));
		call.onCancel(() => this.finish());
		call.onDrain(() => this.drained());
	}

	start(): void {
		this.state.next((part) => this.take(part));
	}

	private take(part: StatePart): void {
		if (this.over) return;
		if (part.kind === "failed") {
			this.end({ code: Grpc.unavailable, message: `etcdserver: the snapshot cannot be completed: ${part.reason}` });
			return;
		}
		this.digest.update(part.bytes);
		const bytes = concatBytes([this.rest, part.bytes]);
		const end = part.last ? bytes.length : bytes.length - (bytes.length % CHUNK_BYTES);
		let room = true;
		for (let at = 0; at < end; at += CHUNK_BYTES) {
			const blob = bytes.subarray(at, Math.min(at + CHUNK_BYTES, end));
			room = this.send(blob, part.bytesLeft + bytes.length - at - blob.length);
		}
		this.rest = bytes.subarray(end);
		if (part.last) {
			this.send(this.digest.digest(), 0);
			this.end({ code: Grpc.ok, message: "" });
		} else if (room) this.start();
		else this.wait();
	}

	private send(blob: Uint8Array, remainingBytes: number): boolean {
		const version = this.deps.options.storageVersion;
		return this.call.send(etcdserverpb.SnapshotResponse.encode({ blob, remainingBytes, version }));
	}

	private wait(): void {
		const { deps } = this;
		this.blocked = true;
		this.stopWaiting = deps.afterTicks(Math.ceil(STALL_MS / deps.member.tickMs), () => this.end(STALLED));
	}

	private drained(): void {
		if (!this.blocked || this.over) return;
		this.blocked = false;
		this.stopWaiting?.();
		this.start();
	}

	private end(status: Status): void {
		this.finish();
		this.call.end(status);
	}

	private finish(): void {
		if (this.over) return;
		this.over = true;
		this.stopWaiting?.();
		this.stopAging();
		this.state.close();
	}
}
