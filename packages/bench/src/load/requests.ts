/** The calls of the unary loads as bytes: encoded once, with the key written into a copy for each call. */
import { etcdserverpb } from "@flotilla/api";
import type { Settings } from "./settings.ts";

export interface Request {
	readonly path: string;
	readonly message: Uint8Array;
}

/** The n-th call, from 0. The bytes are the callee's. */
export type Requests = (n: number) => Request;

export const PATHS = { put: "/etcdserverpb.KV/Put", range: "/etcdserverpb.KV/Range", txn: "/etcdserverpb.KV/Txn" } as const;

export function requestsOf(settings: Settings): Requests {
	const { keys } = settings;
	const put = template(PATHS.put, settings, (key) => etcdserverpb.PutRequest.encode({ key, value: benchValue(settings) }));
	const range = template(PATHS.range, settings, (key) => etcdserverpb.RangeRequest.encode({ key, serializable: settings.serializable }));
	switch (settings.load) {
		case "put":
			return (n) => put(n % keys);
		case "range":
			return (n) => range(n % keys);
		case "mixed": {
			// Spread evenly and alike in every run: no dice.
			const { readShare } = settings;
			return (n) => (Math.floor((n + 1) * readShare) > Math.floor(n * readShare) ? range(n % keys) : put(n % keys));
		}
		case "txn": {
			const txn = template(PATHS.txn, settings, (key) => etcdserverpb.TxnRequest.encode(comparedPut(key, settings)));
			return (n) => txn(n % keys);
		}
		case "watch-fanout":
		case "watch-latency":
		case "lease-keepalive":
			throw new Error(`${settings.load} is not made of single calls`);
	}
}

/** A put of every key, for loads that read. */
export function fillRequests(settings: Settings): Requests {
	return template(PATHS.put, settings, (key) => etcdserverpb.PutRequest.encode({ key, value: benchValue(settings) }));
}

export function benchValue({ valueBytes }: Settings): Buffer {
	return Buffer.alloc(valueBytes, "v");
}

/** Put if the key was not made by somebody in the far future: a comparison that always holds. */
function comparedPut(key: Buffer, settings: Settings): etcdserverpb.TxnRequest {
	const { GREATER } = etcdserverpb.Compare_CompareResult;
	const { VERSION } = etcdserverpb.Compare_CompareTarget;
	return etcdserverpb.TxnRequest.create({
		compare: [etcdserverpb.Compare.create({ result: GREATER, target: VERSION, key, targetUnion: { kind: "version", value: -1 } })],
		success: [{ request: { kind: "requestPut", value: etcdserverpb.PutRequest.create({ key, value: benchValue(settings) }) } }],
	});
}

/** Fills every place of the key in the encoded message with that of the call. */
function template(path: string, { keyBytes }: Settings, encode: (key: Buffer) => Uint8Array): Requests {
	const mark = Buffer.alloc(keyBytes, 0xf7);
	const message = Buffer.from(encode(mark));
	const places: number[] = [];
	for (let at = message.indexOf(mark); at >= 0; at = message.indexOf(mark, at + keyBytes)) places.push(at);
	return (n) => {
		const copy = Buffer.from(message);
		for (const at of places) writeKey(copy, at, keyBytes, n);
		return { path, message: copy };
	};
}

/** The number in decimal digits, zeros before it; what does not fit is cut at the front. */
export function writeKey(bytes: Buffer, at: number, keyBytes: number, n: number): void {
	let rest = n;
	for (let place = at + keyBytes - 1; place >= at; place--) {
		bytes[place] = 0x30 + (rest % 10);
		rest = Math.floor(rest / 10);
	}
}
