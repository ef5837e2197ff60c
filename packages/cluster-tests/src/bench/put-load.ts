/**
 * Puts of many different keys over HTTP/2, with the latency of each: h2load sends one request over and over.
 */
import { UnaryCalls } from "./unary-calls.ts";

/** Field numbers of PutRequest, TxnRequest and RequestOp, each with its wire type. */
const KEY = 0x0a;
const VALUE = 0x12;
const TXN_SUCCESS = 0x12;
const OP_PUT = 0x12;

export interface PutLoadOptions {
	readonly url: string;
	/** Calls under way at once. */
	readonly streams: number;
	/**
	 * Connections that they are spread over. Over a single one a server that answers a whole batch at once and this client, which takes the
	 * answers together and sends the next calls together, wait for each other in turn and never work at the same time.
	 */
	readonly connections?: number;
	/** Puts in one call: above 1 they travel as transactions. */
	readonly putsACall?: number;
	makeKey(n: number): Buffer;
	makeValue(n: number): Buffer;
}

export class PutLoad {
	private readonly options: PutLoadOptions;
	private readonly connections: readonly UnaryCalls[];

	constructor(options: PutLoadOptions) {
		this.options = options;
		this.connections = Array.from({ length: options.connections ?? 1 }, () => new UnaryCalls(options.url));
	}

	close(): void {
		for (const connection of this.connections) connection.close();
	}

	/**
	 * Puts number `from` to `end` (excluded), `streams` calls at a time; stops early when `stop` says so. Returns the latency
	 * of each call in milliseconds, in the order of their answers. Any refusal ends the load.
	 */
	async run(from: number, end: number, stop: () => boolean = () => false): Promise<number[]> {
		const { streams, putsACall = 1 } = this.options;
		const latencies: number[] = [];
		let next = from;
		const worker = async (connection: UnaryCalls): Promise<void> => {
			while (next < end && !stop()) {
				const first = next;
				next = Math.min(end, next + putsACall);
				const started = performance.now();
				await this.send(connection, first, next);
				latencies.push(performance.now() - started);
			}
		};
		const { connections } = this;
		await Promise.all(Array.from({ length: streams }, (_, i) => worker(connections[i % connections.length] as UnaryCalls)));
		return latencies;
	}

	private async send(connection: UnaryCalls, first: number, end: number): Promise<void> {
		const puts: Buffer[] = [];
		for (let n = first; n < end; n++) {
			puts.push(Buffer.concat([field(KEY, this.options.makeKey(n)), field(VALUE, this.options.makeValue(n))]));
		}
		const single = (this.options.putsACall ?? 1) === 1;
		const message = single ? (puts[0] as Buffer) : Buffer.concat(puts.map((put) => field(TXN_SUCCESS, field(OP_PUT, put))));
		await connection.ask(single ? "/etcdserverpb.KV/Put" : "/etcdserverpb.KV/Txn", message);
	}
}

/** A field of bytes. */
function field(tag: number, content: Buffer): Buffer {
	const head = [tag];
	let rest = content.length;
	for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
	head.push(rest);
	return Buffer.concat([Buffer.from(head), content]);
}

/** The value below which the given share of the sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
