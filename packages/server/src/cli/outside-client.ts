/** A client of any server of the etcd v3 API, for the tools of the command line: one connection, a token of its own where a user is named. */
import { readFile } from "node:fs/promises";
import { etcdserverpb, type MessageType } from "@flotilla/api";
import { Client, type ClientDuplexStream, type ClientReadableStream, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

export interface Access {
	/** `NAME:PASSWORD` */
	readonly user: string | undefined;
	readonly cacert: string | undefined;
	readonly cert: string | undefined;
	readonly key: string | undefined;
}

/** What a call came to when it was refused, or when nobody answered. */
export type CallError = ServiceError;

interface Codec<M extends object> {
	readonly request: Pick<MessageType<M>, "encode">;
}

const PATIENCE_MS = 10_000;

export class OutsideClient {
	readonly endpoint: string;
	private readonly client: Client;
	private readonly metadata = new Metadata();

	private constructor(endpoint: string, client: Client) {
		this.endpoint = endpoint;
		this.client = client;
	}

	static async open(endpoint: string, { user, cacert, cert, key }: Access): Promise<OutsideClient> {
		const secure = endpoint.startsWith("https://") || cacert !== undefined || cert !== undefined;
		const read = (name: string | undefined): Promise<Buffer | null> => (name === undefined ? Promise.resolve(null) : readFile(name));
		const channel = secure ? credentials.createSsl(await read(cacert), await read(key), await read(cert)) : credentials.createInsecure();
		const options = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1, "grpc.enable_retries": 0 };
		const made = new OutsideClient(endpoint, new Client(endpoint.replace(/^https?:\/\//, ""), channel, options));
		try {
			if (user !== undefined) await made.logIn(user);
			return made;
		} catch (error) {
			made.close();
			throw error;
		}
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

	/** Without end, until it is canceled or the server ends it. */
	stream<Request extends object, Response extends object>(
		path: string,
		types: Codec<Request> & { readonly response: MessageType<Response> },
	): ClientDuplexStream<Partial<Request>, Response> {
		return this.client.makeBidiStreamRequest(
			path,
			(message: Partial<Request>) => Buffer.from(types.request.encode(message)),
			(bytes) => types.response.decode(bytes),
			this.metadata,
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

	close(): void {
		this.client.close();
	}

	private async logIn(user: string): Promise<void> {
		const colon = user.indexOf(":");
		if (colon < 0) throw new Error("--user needs NAME:PASSWORD");
		const { AuthenticateRequest: request, AuthenticateResponse: response } = etcdserverpb;
		const asked = { name: user.slice(0, colon), password: user.slice(colon + 1) };
		const { token } = await this.call("/etcdserverpb.Auth/Authenticate", { request, response }, asked);
		this.metadata.set("token", token);
	}
}
