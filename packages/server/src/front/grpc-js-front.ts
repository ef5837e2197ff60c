/** The seam served by grpc-js: it owns HTTP/2 and the framing of messages, the table's handlers own everything else. */
import type { Socket } from "node:net";
import { type handleUnaryCall, logVerbosity, Server, ServerCredentials, setLogVerbosity, type UntypedHandleCall } from "@grpc/grpc-js";
import { servicesOf } from "./etcd-texts.ts";
import type { GrpcFrontOptions } from "./front-options.ts";
import { asBuffer, asIs } from "./grpc-js-bytes.ts";
import { limitCalls } from "./grpc-js-limits.ts";
import { answerUnknownMethods, mendDeadlines, speakLikeEtcd } from "./grpc-js-repairs.ts";
import { duplexAdapter, serverStreamAdapter } from "./grpc-js-stream.ts";
import { unaryAdapter } from "./grpc-js-unary.ts";
import type { CountedFront } from "./held-bytes.ts";
import type { MethodHandler, MethodTable } from "./seam.ts";

export function createGrpcJsFront(methods: MethodTable, options: GrpcFrontOptions): CountedFront {
	// The library writes plain lines to stderr, values of metadata among them.
	setLogVerbosity(logVerbosity.NONE);
	const limits = limitCalls(options);
	const server = new Server({
		"grpc.max_receive_message_length": options.messageBytesMax,
		// 2^31 - 1, what a message's length can say: a range or a batch of events is never cut.
		"grpc.max_send_message_length": 0x7fff_ffff,
		"grpc.max_concurrent_streams": options.concurrentStreamsMax,
		"grpc.keepalive_time_ms": options.keepaliveIntervalMs,
		"grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
		"grpc.enable_channelz": 0,
		interceptors: [speakLikeEtcd, limits.interceptor],
	});
	answerUnknownMethods(server, servicesOf(methods.keys()));
	for (const [path, handler] of methods) register(server, path, handler);
	const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
	mendDeadlines(server);
	const connections = new Set<Socket>();
	let closing: Promise<void> | null = null;
	return {
		wantsOpeningMended: true,
		held: limits.held,
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
			closing ??= shutDown(server, connections, graceMs).then(() => limits.close());
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
