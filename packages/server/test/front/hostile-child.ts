/** A port of its own process with the native front, which tells how much memory it used at most, and why it ended connections. Started by hostile.test.ts. */

import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { openClientPort } from "../../src/front/port.ts";
import type { MethodHandler, UnaryCall } from "../../src/front/seam.ts";
import { BIDI, ECHO, HELD, HOLDING, LARGE } from "./hostile-methods.ts";
import { usedBytes } from "./used-bytes.ts";

const LARGE_BYTES = 1 << 20;
const methods = new Map<string, MethodHandler>([
	[ECHO, { shape: "unary", handle: (call) => call.respond(call.request) }],
	[HELD, { shape: "unary", handle: () => {} }],
	// As the services do it: made when there is room for it.
	[
		LARGE,
		{ shape: "unary", handle: (call: UnaryCall) => setImmediate(() => call.whenRead?.(() => call.respond(new Uint8Array(LARGE_BYTES)))) },
	],
	[BIDI, { shape: "stream", clientStreams: true, serverStreams: true, handle: (call) => call.onMessage((message) => call.send(message)) }],
	[HOLDING, { shape: "stream", clientStreams: true, serverStreams: true, handle: (call) => call.onMessage(() => call.holdBack()) }],
]);

let cuts: string[] = [];
const options = {
	...DEFAULT_GRPC_OPTIONS,
	...JSON.parse(process.env.FRONT_OPTIONS ?? "{}"),
	onCut: (reason: string) => void cuts.push(reason),
};
const port = await openClientPort({ addresses: [{ host: "127.0.0.1", port: 0 }], grpc: createNativeFront(methods, options), http: null });

let base = 0;
let peak = 0;
setInterval(() => {
	peak = Math.max(peak, usedBytes());
}, 50);
process.on("message", (what) => {
	if (what === "begin") {
		base = usedBytes();
		peak = base;
		cuts = [];
	}
	peak = Math.max(peak, usedBytes());
	process.send?.({ peakBytes: peak - base, connections: port.connections, cuts });
});
process.send?.(port.addresses[0]);
