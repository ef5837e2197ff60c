/** A client of any server of the etcd v3 API, for the tools of the command line: one connection, a token of its own where a user is named. */
import { readFile } from "node:fs/promises";
import { etcdserverpb, type MessageType } from "@flotilla/api";
import {
	type CallOptions,
	type ChannelCredentials,
	Client,
	type ClientDuplexStream,
	type ClientReadableStream,
	credentials,
	Metadata,
	type ServiceError,
} from "@grpc/grpc-js";
import type { Login } from "./login.ts";

export interface Access {
	readonly login: Login | undefined;
	readonly cacert: string | undefined;
	readonly cert: string | undefined;
	readonly key: string | undefined;
}

export interface Introduction {
	readonly clusterId: bigint;
	readonly memberId: bigint;
	readonly raftTerm: number;
	readonly raftIndex: number;
}

/** What a call came to when it was refused, or when nobody answered. */
export type CallError = ServiceError;

/** What it was, without what the client library adds of its own. */
export function textOf({ message, details }: CallError): string {
	const text = details === undefined || details === "" ? message : details;
	return text
		.replace(/^No connection established\. Last error: (?:Error: )?(.*?)\. Resolution note: .*$/s, "$1")
		.replace(/ Resolution note: $/, "");
}

interface Codec<M extends object> {
	readonly request: Pick<MessageType<M>, "encode">;
}

export interface StreamOptions {
	/** The server ends the stream when it has lost its leader. */
	readonly needsLeader?: boolean;
	readonly timeoutMs?: number;
}

const { StatusRequest, StatusResponse } = etcdserverpb;

const PATIENCE_MS = 10_000;
/** Whoever asks which cluster it is has others to ask. */
const INTRODUCTION_MS = 5_000;
const FAILED_PRECONDITION = 9;

const CHANNEL = {
	"grpc.max_receive_message_length": -1,
	"grpc.max_send_message_length": -1,
	"grpc.enable_retries": 0,
	// A server that vanishes without a word is noticed by a ping that it does not answer.
	"grpc.keepalive_time_ms": 10_000,
	"grpc.keepalive_timeout_ms": 5_000,
	// One that was closed is gone: the next client of the same endpoint dials anew.
	"grpc.use_local_subchannel_pool": 1,
} as const;

export class OutsideClient {
	readonly endpoint: string;
	private readonly client: Client;
	private readonly metadata = new Metadata();
	private readonly dialling: Dialling;
	private loggedIn = false;

	private constructor(endpoint: string, client: Client, dialling: Dialling) {
		this.endpoint = endpoint;
		this.client = client;
		this.dialling = dialling;
	}

	static async open(endpoint: string, access: Access): Promise<OutsideClient> {
		const made = await OutsideClient.make(endpoint, access);
		try {
			if (access.login !== undefined) await made.logIn(access.login);
			return made;
		} catch (error) {
			made.close();
			throw error;
		}
	}

	/** Nobody is logged in yet. */
	static async make(endpoint: string, { cacert, cert, key }: Access): Promise<OutsideClient> {
		const secure = endpoint.startsWith("https://") || cacert !== undefined || cert !== undefined;
		// The library names a server by its address where it has no other name, and Node.js warns of that: nobody here can mend it.
		if (secure) process.noDeprecation = true;
		const read = (name: string | undefined): Promise<Buffer | null> => (name === undefined ? Promise.resolve(null) : readFile(name));
		const channel = secure ? credentials.createSsl(await read(cacert), await read(key), await read(cert)) : credentials.createInsecure();
		const dialling: Dialling = { over: false };
		const client = new Client(endpoint.replace(/^https?:\/\//, ""), dialledBy(dialling, channel), CHANNEL);
		return new OutsideClient(endpoint, client, dialling);
	}

	/**
	 * Who answers, by a call that does nothing. From its answer on this client has the one connection by which that
	 * came: the library would dial anew behind a call, and reach whoever is behind the same address by then.
	 */
	async introduce(): Promise<Introduction> {
		const types = { request: StatusRequest, response: StatusResponse };
		const { header, raftTerm, raftIndex } = await this.call("/etcdserverpb.Maintenance/Status", types, {}, INTRODUCTION_MS);
		this.dialling.over = true;
		return { clusterId: header?.clusterId ?? 0n, memberId: header?.memberId ?? 0n, raftTerm, raftIndex };
	}

	/** Rejects with `CallError`. */
	call<Request extends object, Response extends object>(
		path: string,
		types: { readonly request: MessageType<Request>; readonly response: MessageType<Response> },
		request: Partial<Request> = {},
		timeoutMs: number = PATIENCE_MS,
	): Promise<Response> {
		return new Promise((resolve, reject) => {
			this.client.makeUnaryRequest(
				path,
				(message: Partial<Request>) => Buffer.from(types.request.encode(message)),
				(bytes) => types.response.decode(bytes),
				request,
				this.metadata,
				{ deadline: Date.now() + timeoutMs },
				(error: ServiceError | null, response?: Response) => (response === undefined ? reject(error) : resolve(response)),
			);
		});
	}

	/** Until it is canceled, the server ends it, or its time is up. */
	stream<Request extends object, Response extends object>(
		path: string,
		types: Codec<Request> & { readonly response: MessageType<Response> },
		{ needsLeader = false, timeoutMs }: StreamOptions = {},
	): ClientDuplexStream<Partial<Request>, Response> {
		const metadata = this.metadata.clone();
		if (needsLeader) metadata.set("hasleader", "true");
		const options: CallOptions = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
		return this.client.makeBidiStreamRequest(
			path,
			(message: Partial<Request>) => Buffer.from(types.request.encode(message)),
			(bytes) => types.response.decode(bytes),
			metadata,
			options,
		);
	}

	snapshot(): ClientReadableStream<etcdserverpb.SnapshotResponse> {
		return this.client.makeServerStreamRequest(
			"/etcdserverpb.Maintenance/Snapshot",
			() => Buffer.alloc(0),
			(bytes) => etcdserverpb.SnapshotResponse.decode(bytes),
			{},
			this.metadata,
		);
	}

	get isLoggedIn(): boolean {
		return this.loggedIn;
	}

	close(): void {
		this.client.close();
	}

	/** Where nobody has to log in, nobody does: as etcdctl has it. */
	async logIn({ name, password }: Login): Promise<void> {
		const { AuthenticateRequest: request, AuthenticateResponse: response } = etcdserverpb;
		try {
			const { token } = await this.call("/etcdserverpb.Auth/Authenticate", { request, response }, { name, password });
			this.metadata.set("token", token);
			this.loggedIn = true;
		} catch (error) {
			const { code, details } = error as CallError;
			if (code !== FAILED_PRECONDITION || !details.includes("authentication is not enabled")) throw error;
		}
	}
}

/** Whether a client may still make connections. */
interface Dialling {
	over: boolean;
}

/** The library has no setting for it; but each connection is made by what these credentials hand out. */
function dialledBy(dialling: Dialling, channel: ChannelCredentials): ChannelCredentials {
	const create = channel._createSecureConnector.bind(channel);
	channel._createSecureConnector = (...args) => {
		const connector = create(...args);
		const connect = connector.connect.bind(connector);
		connector.connect = (socket) => (dialling.over ? Promise.reject(new Error("the connection was lost")) : connect(socket));
		return connector;
	};
	return channel;
}
