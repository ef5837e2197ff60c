/** The seam served by grpc-js: it owns HTTP/2 and the framing of messages, the table's handlers own everything else. */
import type { Socket } from "node:net";
import { assert } from "@flotilla/base";
import {
	type handleUnaryCall,
	logVerbosity,
	Server,
	ServerCredentials,
	type ServerDuplexStream,
	type ServerInterceptor,
	setLogVerbosity,
	type UntypedHandleCall,
} from "@grpc/grpc-js";
import { DEADLINE_EXCEEDED, messageTooLarge, servicesOf, unknownMethod } from "./etcd-texts.ts";
import type { GrpcFrontOptions } from "./front-options.ts";
import { duplexAdapter, serverStreamAdapter } from "./grpc-js-stream.ts";
import { unaryAdapter } from "./grpc-js-unary.ts";
import { Grpc, type GrpcFront, type MethodHandler, type MethodTable } from "./seam.ts";

export function createGrpcJsFront(methods: MethodTable, options: GrpcFrontOptions): GrpcFront {
	// The library writes plain lines to stderr, values of metadata among them.
	setLogVerbosity(logVerbosity.NONE);
	const server = new Server({
		"grpc.max_receive_message_length": options.messageBytesMax,
		// 2^31 - 1, what a message's length can say: a range or a batch of events is never cut.
		"grpc.max_send_message_length": 0x7fff_ffff,
		"grpc.max_concurrent_streams": options.concurrentStreamsMax,
		"grpc.keepalive_time_ms": options.keepaliveIntervalMs,
		"grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
		"grpc.enable_channelz": 0,
		interceptors: [speakLikeEtcd],
	});
	answerUnknownMethods(server, servicesOf(methods.keys()));
	for (const [path, handler] of methods) register(server, path, handler);
	const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
	const connections = new Set<Socket>();
	let closing: Promise<void> | null = null;
	return {
		accept(socket: Socket): void {
			if (closing !== null || socket.destroyed) {
				socket.destroy();
				return;
			}
			connections.add(socket);
			socket.once("close", () => connections.delete(socket));
			injector.injectConnection(socket);
		},
		close(graceMs: number): Promise<void> {
			closing ??= shutDown(server, connections, graceMs);
			return closing;
		},
	};
}

function register(server: Server, path: string, method: MethodHandler): void {
	if (method.shape === "unary") {
		const handler: handleUnaryCall<Uint8Array, Uint8Array> = unaryAdapter(method.handle);
		server.register(path, handler as UntypedHandleCall, asBuffer, asIs, "unary");
	} else if (method.clientStreams) {
		server.register(path, duplexAdapter(method.handle) as UntypedHandleCall, asBuffer, asIs, "bidi");
	} else {
		server.register(path, serverStreamAdapter(method.handle) as UntypedHandleCall, asBuffer, asIs, "serverStream");
	}
}

/**
 * GOAWAY on every connection; calls that are open may finish, until the grace ends. The library reports the end of its own
 * shutdown before the calls have ended, so it is the connections that are waited for.
 */
async function shutDown(server: Server, connections: ReadonlySet<Socket>, graceMs: number): Promise<void> {
	const closed = Array.from(connections, (socket) => new Promise((resolve) => socket.once("close", resolve)));
	server.tryShutdown(() => {});
	const cut = setTimeout(() => {
		for (const socket of connections) socket.destroy();
	}, graceMs);
	await Promise.all(closed);
	clearTimeout(cut);
}

const TOO_LARGE = /^Received message larger than max \((\d+) vs (\d+)\)$/;

/** Statuses that the library makes up by itself do not pass through the handlers: they get their words at its lowest call object. */
const speakLikeEtcd: ServerInterceptor = (_method, call) => {
	const sendStatus = call.sendStatus.bind(call);
	call.sendStatus = (status) => {
		if (status.code === Grpc.resourceExhausted) {
			const sizes = TOO_LARGE.exec(status.details ?? "");
			if (sizes !== null) status.details = messageTooLarge(Number(sizes[1]), Number(sizes[2])).message;
		} else if (status.code === Grpc.deadlineExceeded && status.details === "Deadline exceeded") {
			status.details = DEADLINE_EXCEEDED.message;
		}
		sendStatus(status);
	};
	return call as ReturnType<ServerInterceptor>;
};

interface Registered {
	readonly func: (call: ServerDuplexStream<Uint8Array, Uint8Array>) => void;
	readonly serialize: typeof asBuffer;
	readonly deserialize: typeof asIs;
	readonly type: "bidi";
	readonly path: string;
}

/**
 * The library offers no hook for paths that it does not know, and its own answer is not etcd's: the map in which it looks
 * handlers up is replaced by one that knows an answer for the others.
 */
function answerUnknownMethods(server: Server, services: ReadonlySet<string>): void {
	const inside = server as unknown as { handlers: Map<string, unknown> };
	assert(inside.handlers instanceof Map, "grpc-js looks its handlers up in a map");
	assert(inside.handlers.size === 0, "no handler is registered before the map is replaced");
	inside.handlers = new (class extends Map<string, unknown> {
		override get(path: string): unknown {
			return super.get(path) ?? unknownHandler(path, services);
		}
	})();
}

function unknownHandler(path: string, services: ReadonlySet<string>): Registered {
	const { code, message } = unknownMethod(path, services);
	return {
		func: (call) => void call.emit("error", { code, details: message }),
		serialize: asBuffer,
		deserialize: asIs,
		type: "bidi",
		path,
	};
}

function asIs(bytes: Buffer): Uint8Array {
	return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
