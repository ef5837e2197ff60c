/** A port of its own process that serves WebSockets, and tells how much memory it used at most. Started by hostile-sockets.test.ts. */
import { METHODS, etcdserverpb as pb } from "@flotilla/api";
import { DEFAULT_WEB_SOCKET_LIMITS } from "../../src/front/front-options.ts";
import { createGateway } from "../../src/front/gateway.ts";
import { createHttpRouter } from "../../src/front/http-router.ts";
import { openClientPort } from "../../src/front/port.ts";
import type { MethodHandler } from "../../src/front/seam.ts";
import { usedBytes } from "./used-bytes.ts";

/** Of which a client gets as many as it asks for. */
const ANSWER = pb.WatchResponse.encode({ cancelReason: "x".repeat(1 << 20) });
const methods = new Map<string, MethodHandler>();
for (const { path, shape } of METHODS.values()) {
	if (shape === "unary") methods.set(path, { shape, handle: (call) => call.respond(new Uint8Array(0)) });
	else {
		methods.set(path, {
			shape: "stream",
			clientStreams: true,
			serverStreams: true,
			handle: (call) => {
				let over = false;
				call.onCancel(() => {
					over = true;
				});
				call.onMessage((message) => {
					const union = pb.WatchRequest.decode(message).requestUnion;
					if (union?.kind === "cancelRequest") {
						// At once, however slowly the client reads: as rudely as no service does it.
						for (let left = Number(union.value.watchId); left > 0 && !over; left--) call.send(ANSWER);
					} else if (union?.kind === "progressRequest") {
						// As services do it.
						const tell = (): void => {
							if (!over && call.send(ANSWER)) setImmediate(tell);
						};
						call.onDrain(tell);
						tell();
					} else call.send(pb.WatchResponse.encode({ created: true }));
				});
			},
		});
	}
}

const limits = new Map<string, number>();
const port = await openClientPort({
	addresses: [{ host: "127.0.0.1", port: 0 }],
	grpc: null,
	http: createHttpRouter({ routes: new Map(), gateway: createGateway(methods, { messageBytesMax: 2 << 20 }) }),
	limits: {
		webSockets: {
			...DEFAULT_WEB_SOCKET_LIMITS,
			...JSON.parse(process.env.SOCKET_LIMITS ?? "{}"),
			onLimit: (limit) => limits.set(limit, (limits.get(limit) ?? 0) + 1),
		},
	},
});

let base = 0;
let peak = 0;
let sampling = true;
setInterval(() => {
	if (sampling) peak = Math.max(peak, usedBytes());
}, 50);
process.on("message", (what) => {
	sampling = what !== "calm";
	if (what === "begin") {
		base = usedBytes();
		peak = base;
		limits.clear();
	}
	peak = Math.max(peak, usedBytes());
	process.send?.({
		peakBytes: peak - base,
		usedBytes: usedBytes() - base,
		connections: port.connections,
		limits: Object.fromEntries(limits),
	});
});
process.send?.(port.addresses[0]);
