/** A method table whose calls the test answers itself. */
import { createHotCodec, METHODS } from "@flotilla/api";
import { portableBytes } from "@flotilla/base";
import { Grpc, type MethodHandler, type MethodTable, type StreamCall, type UnaryCall } from "../../src/front/seam.ts";

export const ECHO = "/etcdserverpb.KV/Put";
export const HELD = "/etcdserverpb.KV/Range";
export const DECODED = "/etcdserverpb.KV/Txn";
export const BIDI = "/etcdserverpb.Watch/Watch";
export const DECODED_BIDI = "/etcdserverpb.Lease/LeaseKeepAlive";
export const CLIENT_STREAM = "/etcdserverpb.Lease/LeaseTimeToLive";
export const SERVER_STREAM = "/etcdserverpb.Maintenance/Snapshot";

/** Calls in the order in which they came; `next` waits for one that has not come yet. */
export class Arrivals<T> {
	private readonly calls: T[] = [];
	private readonly waiting: Array<(call: T) => void> = [];
	count = 0;

	add(call: T): void {
		this.count++;
		const resolve = this.waiting.shift();
		if (resolve === undefined) this.calls.push(call);
		else resolve(call);
	}

	next(): Promise<T> {
		const call = this.calls.shift();
		if (call !== undefined) return Promise.resolve(call);
		return new Promise((resolve) => this.waiting.push(resolve));
	}
}

export interface TestService {
	readonly methods: MethodTable;
	readonly unary: Arrivals<UnaryCall>;
	readonly streams: Arrivals<StreamCall>;
	readonly echoed: Arrivals<UnaryCall>;
}

export function createTestService(): TestService {
	const codec = createHotCodec(portableBytes);
	const unary = new Arrivals<UnaryCall>();
	const streams = new Arrivals<StreamCall>();
	const echoed = new Arrivals<UnaryCall>();
	const hold = (call: StreamCall): void => streams.add(call);
	const methods: MethodTable = new Map<string, MethodHandler>([
		[
			ECHO,
			{
				shape: "unary",
				handle: (call) => {
					echoed.add(call);
					call.respond(call.request);
				},
			},
		],
		[HELD, { shape: "unary", handle: (call) => unary.add(call) }],
		[
			DECODED,
			{
				shape: "unary",
				handle: (call) => {
					codec.decodeTxnRequest(call.request);
					call.respond(new Uint8Array(0));
				},
			},
		],
		[BIDI, { shape: "stream", clientStreams: true, serverStreams: true, handle: hold }],
		[
			DECODED_BIDI,
			{
				shape: "stream",
				clientStreams: true,
				serverStreams: true,
				handle: (call) => {
					call.onMessage((message) => {
						codec.decodePutRequest(message);
						call.send(message);
					});
					call.onHalfClose(() => call.end({ code: Grpc.ok, message: "" }));
				},
			},
		],
		[CLIENT_STREAM, { shape: "stream", clientStreams: true, serverStreams: false, handle: hold }],
		[SERVER_STREAM, { shape: "stream", clientStreams: false, serverStreams: true, handle: hold }],
	]);
	return { methods, unary, streams, echoed };
}

/** Every call of the method table, handed to the test that answers it. */
export function arrivingAt(unary: Arrivals<UnaryCall>, streams: Arrivals<StreamCall>): MethodTable {
	const methods = new Map<string, MethodHandler>();
	for (const { path, shape } of METHODS.values()) {
		if (shape === "unary") methods.set(path, { shape, handle: (call) => unary.add(call) });
		else methods.set(path, { shape: "stream", clientStreams: shape === "bidi", serverStreams: true, handle: (call) => streams.add(call) });
	}
	return methods;
}
