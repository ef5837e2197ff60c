import { Client, Metadata as GrpcMetadata, type Metadata, type ServiceError } from "@grpc/grpc-js";
import { channelTo } from "./channel.ts";
import { decodeMessage, encodeMessage, type Plain } from "./protocol.ts";
import { RawStream } from "./raw-stream.ts";
import { RpcError } from "./rpc-error.ts";

export { RpcError } from "./rpc-error.ts";

/** Of a call that says nothing of it: beyond the time that a member itself gives a request, on a machine as busy as may be. */
const PATIENCE_MS = 60_000;

export interface Header {
	readonly cluster_id: string;
	readonly member_id: string;
	readonly revision: string;
	readonly raft_term: string;
}

export interface KeyValue {
	readonly key: Buffer;
	readonly value: Buffer;
	readonly create_revision: string;
	readonly mod_revision: string;
	readonly version: string;
	readonly lease: string;
}

export interface RangeResponse {
	readonly header: Header;
	readonly kvs: readonly KeyValue[];
	readonly more: boolean;
	readonly count: string;
}

export interface PutResponse {
	readonly header: Header;
	readonly prev_kv: KeyValue | null;
}

/** A client of one member, through grpc-js, without retries: each call is one attempt. */
export class KvClient {
	readonly address: string;
	private readonly client: Client;

	constructor(address: string) {
		this.address = address;
		const { target, credentials, options } = channelTo(address);
		this.client = new Client(target, credentials, {
			...options,
			"grpc.max_receive_message_length": 2 ** 31 - 1,
			"grpc.initial_reconnect_backoff_ms": 50,
			"grpc.max_reconnect_backoff_ms": 300,
			"grpc.enable_retries": 0,
			// Clients of one process must not share a connection: each is an outsider of its own.
			"grpc.use_local_subchannel_pool": 1,
		});
	}

	close(): void {
		this.client.close();
	}

	/** Any unary method, with plain values in and out. */
	call<T = Plain>(
		service: string,
		method: string,
		types: readonly [string, string],
		request: Plain,
		options: CallOptions = {},
	): Promise<T> {
		return this.raw(`/etcdserverpb.${service}/${method}`, encodeMessage(`etcdserverpb.${types[0]}`, request), options).then((bytes) =>
			decodeMessage<T>(`etcdserverpb.${types[1]}`, bytes),
		);
	}

	/** Any path with any bytes. */
	raw(path: string, request: Buffer, options: CallOptions = {}): Promise<Buffer> {
		const metadata: Metadata = new GrpcMetadata();
		for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
		return new Promise((resolve, reject) => {
			const call = this.client.makeUnaryRequest(
				path,
				(bytes: Buffer) => bytes,
				(bytes: Buffer) => bytes,
				request,
				metadata,
				{ deadline: Date.now() + (options.timeoutMs ?? PATIENCE_MS) },
				(error: ServiceError | null, response?: Buffer) => {
					if (error !== null) reject(new RpcError(error.code, error.details));
					else resolve(response ?? Buffer.alloc(0));
				},
			);
			options.signal?.addEventListener("abort", () => call.cancel());
		});
	}

	/** A method whose client, server or both stream. */
	stream(path: string, options: CallOptions = {}): RawStream {
		const metadata = new GrpcMetadata();
		for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
		const same = (bytes: Buffer): Buffer => bytes;
		const deadline = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
		return new RawStream(this.client.makeBidiStreamRequest(path, same, same, metadata, deadline));
	}

	put(key: string | Buffer, value: string | Buffer, options: CallOptions & { fields?: Plain } = {}): Promise<PutResponse> {
		return this.call(
			"KV",
			"Put",
			["PutRequest", "PutResponse"],
			{ key: Buffer.from(key), value: Buffer.from(value), ...options.fields },
			options,
		);
	}

	range(key: string | Buffer, fields: Plain = {}, options: CallOptions = {}): Promise<RangeResponse> {
		return this.call("KV", "Range", ["RangeRequest", "RangeResponse"], { key: Buffer.from(key), ...fields }, options);
	}

	/** Every live key. */
	everything(fields: Plain = {}, options: CallOptions = {}): Promise<RangeResponse> {
		return this.range(Buffer.from([0]), { range_end: Buffer.from([0]), ...fields }, options);
	}

	deleteRange(
		key: string | Buffer,
		fields: Plain = {},
		options: CallOptions = {},
	): Promise<{ header: Header; deleted: string; prev_kvs: KeyValue[] }> {
		return this.call("KV", "DeleteRange", ["DeleteRangeRequest", "DeleteRangeResponse"], { key: Buffer.from(key), ...fields }, options);
	}

	txn(request: Plain, options: CallOptions = {}): Promise<{ header: Header; succeeded: boolean; responses: Plain[] }> {
		return this.call("KV", "Txn", ["TxnRequest", "TxnResponse"], request, options);
	}

	compact(revision: number, options: CallOptions = {}): Promise<{ header: Header }> {
		return this.call("KV", "Compact", ["CompactionRequest", "CompactionResponse"], { revision }, options);
	}

	status(options: CallOptions = {}): Promise<StatusResponse> {
		return this.call("Maintenance", "Status", ["StatusRequest", "StatusResponse"], {}, options);
	}

	hashKv(
		revision = 0,
		options: CallOptions = {},
	): Promise<{ header: Header; hash: number; compact_revision: string; hash_revision: string }> {
		return this.call("Maintenance", "HashKV", ["HashKVRequest", "HashKVResponse"], { revision }, options);
	}

	members(
		options: CallOptions = {},
	): Promise<{ header: Header; members: { ID: string; name: string; peerURLs: string[]; clientURLs: string[] }[] }> {
		return this.call("Cluster", "MemberList", ["MemberListRequest", "MemberListResponse"], { linearizable: true }, options);
	}
}

export interface CallOptions {
	readonly timeoutMs?: number;
	/** The client gives up: a unary call only. */
	readonly signal?: AbortSignal;
	readonly metadata?: Readonly<Record<string, string>>;
}

export interface StatusResponse {
	readonly header: Header;
	readonly version: string;
	readonly dbSize: string;
	readonly leader: string;
	readonly raftIndex: string;
	readonly raftTerm: string;
	readonly raftAppliedIndex: string;
	readonly errors: string[];
	readonly dbSizeInUse: string;
	readonly storageVersion: string;
	readonly dbSizeQuota: string;
}
