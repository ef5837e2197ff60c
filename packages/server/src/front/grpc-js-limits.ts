/** Counts what the calls of grpc-js hold, on its insides: its lowest call object reads and writes through what is put here. */
import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import { assert } from "@flotilla/base";
import type { ServerInterceptor } from "@grpc/grpc-js";
import type { FrontLimit, GrpcFrontOptions } from "./front-options.ts";
import { ABANDONED, type ConnectionHold, HeldBytes, LOOKS_PER_STALL, UNREAD } from "./held-bytes.ts";
import { FramingFault, MessageReader } from "./message-reader.ts";
import { Grpc, type Status } from "./seam.ts";

type Call = ReturnType<ServerInterceptor>;

interface InsideCall {
	readonly stream: ServerHttp2Stream;
	readonly handler: { readonly type: string };
	readonly incomingEncoding: string;
	/** The library, and behind it the handler, asked for a message that has not come yet. */
	readonly isReadPending: boolean;
	decoder: { write(data: Buffer): Buffer[] };
	/** The client ended its half. */
	handleEndEvent(): void;
	/** The stream is closed, or its status was sent behind everything else. May come twice. */
	notifyOnCancel(): void;
}

export interface CallLimits {
	readonly interceptor: ServerInterceptor;
	readonly held: HeldBytes;
	close(): void;
}

export function limitCalls(options: GrpcFrontOptions): CallLimits {
	const held = new HeldBytes(options);
	const connections = new WeakMap<Http2Session, ConnectionHold>();
	const look = setInterval(() => held.endStalled(performance.now()), options.stallMs / LOOKS_PER_STALL).unref();

	const connectionOf = (session: Http2Session): ConnectionHold => {
		const known = connections.get(session);
		if (known !== undefined) return known;
		const peer = `${session.socket.remoteAddress ?? "unknown"}:${session.socket.remotePort ?? 0}`;
		const connection = held.connect((reason) => {
			session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from(reason));
			session.destroy();
			options.onCut?.(reason, { peer });
		});
		connections.set(session, connection);
		session.once("close", () => held.forget(connection));
		return connection;
	};

	const interceptor: ServerInterceptor = (method, call) => {
		const inside = call as unknown as InsideCall;
		const { stream, handler } = inside;
		const { session } = stream;
		// A stream that is gone already is read no more.
		if (session === undefined || session.destroyed) return call as Call;
		assert(typeof inside.decoder?.write === "function", "grpc-js reads messages through a decoder of the call");
		assert(typeof inside.handleEndEvent === "function" && typeof inside.notifyOnCancel === "function", "and tells the call of both ends");
		assert(typeof inside.isReadPending === "boolean", "and knows whether it waits for a message");
		const connection = connectionOf(session);
		const tell = (limit: FrontLimit): void => options.onLimit?.(limit, { path: method.path, peer: call.getPeer() });
		const end = (status: Status): void => {
			call.sendStatus({ code: status.code as number, details: status.message, metadata: null });
			// What the client still sends of it is not wanted (RFC 9113, 8.1).
			stream.close(constants.NGHTTP2_NO_ERROR);
			stream.resume();
		};
		const source = {
			pause: () => stream.pause(),
			resume: () => stream.resume(),
			get wantsMore(): boolean {
				return inside.isReadPending;
			},
		};
		const reader = new MessageReader(connection, source, {
			messageBytesMax: options.messageBytesMax,
			encoded: inside.incomingEncoding !== "identity",
			single: handler.type === "unary" || handler.type === "serverStream",
			abandon(reason) {
				if (reason !== "stalled") tell(reason);
				end(ABANDONED[reason]);
			},
		});
		const answers = new AnswerHold(connection);
		inside.decoder = {
			write(data) {
				try {
					return reader.write(data);
				} catch (error) {
					if (error instanceof FramingFault && error.status.code === Grpc.resourceExhausted) tell("messageBytes");
					throw error;
				}
			},
		};
		const handleEnd = inside.handleEndEvent.bind(inside);
		inside.handleEndEvent = () => {
			reader.settle();
			handleEnd();
		};
		const notify = inside.notifyOnCancel.bind(inside);
		inside.notifyOnCancel = () => {
			reader.settle();
			answers.giveBack(answers.bytes);
			notify();
		};
		const send = call.sendMessage.bind(call);
		call.sendMessage = (message: Uint8Array, callback) => {
			// The library drops what comes after the end, and tells of no end a second time.
			if (stream.destroyed || stream.closed) return;
			const bytes = message.length;
			if (!answers.hold(bytes)) {
				tell("unread");
				end(UNREAD);
				return;
			}
			send(message, () => {
				answers.giveBack(bytes);
				callback();
			});
		};
		return call as Call;
	};
	return { interceptor, held, close: () => clearInterval(look) };
}

/** What one call sent and its client did not take yet. */
class AnswerHold {
	bytes = 0;
	private readonly connection: ConnectionHold;

	constructor(connection: ConnectionHold) {
		this.connection = connection;
	}

	hold(bytes: number): boolean {
		if (!this.connection.holdAnswer(this.bytes, bytes)) return false;
		this.bytes += bytes;
		return true;
	}

	giveBack(bytes: number): void {
		const given = Math.min(bytes, this.bytes);
		this.connection.releaseAnswer(this.bytes, given);
		this.bytes -= given;
	}
}
