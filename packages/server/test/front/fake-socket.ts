/** A connection of a front without a socket, for tests that need very many of them: bytes are handed in, what is written is kept. */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { GrpcFront } from "../../src/front/seam.ts";
import { HpackEncoder } from "../../src/http2/hpack-encoder.ts";
import { Flag, FrameType } from "../../src/http2/protocol.ts";
import { frame, framesOf, OPENING, type SeenFrame } from "../http2/two-ends.ts";
import { frame as message } from "./raw-client.ts";

export class FakeSocket extends EventEmitter {
	readonly remoteAddress = "127.0.0.1";
	readonly remotePort = 1;
	writableLength = 0;
	writableNeedDrain = false;
	destroyed = false;
	private written: Buffer[] = [];

	/** As a front takes it. */
	get socket(): Socket {
		return this as unknown as Socket;
	}

	write(bytes: Uint8Array): boolean {
		this.written.push(Buffer.from(bytes));
		return !this.writableNeedDrain;
	}
	cork(): void {}
	uncork(): void {}
	pause(): void {}
	end(): void {}
	destroy(): void {
		if (this.destroyed) return;
		this.destroyed = true;
		this.emit("close");
	}

	/** The peer sends this. */
	receive(bytes: Buffer): void {
		if (!this.destroyed) this.emit("data", bytes);
	}

	/** All that was written so far. */
	take(): Buffer {
		const all = Buffer.concat(this.written);
		this.written = [];
		return all;
	}
}

/** HEADERS of a call, on any connection and in any order: they refer to nothing that was sent before. */
export function callHeaders(streamId: number, path: string, more: ReadonlyArray<readonly [string, string]> = []): Buffer {
	const fields = [
		[":method", "POST"],
		[":scheme", "http"],
		[":path", path],
		["content-type", "application/grpc"],
		["te", "trailers"],
		...more,
	];
	const block = new HpackEncoder().encode(fields.map(([name = "", value = ""]) => ({ name, value, repeats: true })));
	return frame(FrameType.headers, Flag.endHeaders, streamId, block);
}

/** What a new connection of the front gets for one call of a method that answers with its request: true when it is served as it should be. */
export function servesNext(front: GrpcFront, echoPath: string): boolean {
	const fake = new FakeSocket();
	front.accept(fake.socket);
	const asked = message(Buffer.from("are you there"));
	fake.receive(Buffer.concat([OPENING, callHeaders(1, echoPath), frame(FrameType.data, Flag.endStream, 1, asked)]));
	const frames = framesOf(fake.take()).filter(({ streamId }) => streamId === 1);
	fake.destroy();
	const answer = Buffer.concat(frames.filter(({ type }) => type === FrameType.data).map(({ content }) => content));
	return answer.equals(asked) && endsWell(frames.at(-1));
}

function endsWell(last: SeenFrame | undefined): boolean {
	return last !== undefined && last.type === FrameType.headers && (last.flags & Flag.endStream) !== 0;
}
