import { createHash } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { etcdserverpb } from "@flotilla/api";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { IMAGE_BLOCK_BYTES, IMAGE_DIGEST_BYTES } from "../driver/snapshot-image.ts";

export interface SaveOptions {
	readonly endpoint: string;
	readonly user: string | undefined;
	readonly cacert: string | undefined;
	readonly cert: string | undefined;
	readonly key: string | undefined;
}

/** Writes beside the file and renames at the end: what stands under the final name is whole, verified and durable. */
export async function saveSnapshot(path: string, options: SaveOptions): Promise<void> {
	const part = `${path}.part`;
	const client = await connect(options);
	try {
		const metadata = await authenticate(client, options.user);
		const file = await open(part, "w", 0o600);
		try {
			await receive(client, metadata, file);
			await file.sync();
		} finally {
			await file.close();
		}
		await rename(part, path);
		await syncFolder(dirname(path));
	} catch (error) {
		await rm(part, { force: true });
		throw error;
	} finally {
		client.close();
	}
}

async function connect({ endpoint, cacert, cert, key }: SaveOptions): Promise<Client> {
	const secure = endpoint.startsWith("https://") || cacert !== undefined || cert !== undefined;
	const read = (name: string | undefined): Promise<Buffer | null> => (name === undefined ? Promise.resolve(null) : readFile(name));
	const channel = secure ? credentials.createSsl(await read(cacert), await read(key), await read(cert)) : credentials.createInsecure();
	return new Client(endpoint.replace(/^https?:\/\//, ""), channel, { "grpc.max_receive_message_length": -1, "grpc.enable_retries": 0 });
}

async function authenticate(client: Client, user: string | undefined): Promise<Metadata> {
	const metadata = new Metadata();
	if (user === undefined) return metadata;
	const colon = user.indexOf(":");
	if (colon < 0) throw new Error("--user needs NAME:PASSWORD");
	const request = { name: user.slice(0, colon), password: user.slice(colon + 1) };
	const { AuthenticateRequest, AuthenticateResponse } = etcdserverpb;
	const { token } = await new Promise<etcdserverpb.AuthenticateResponse>((resolve, reject) => {
		const answer = (error: ServiceError | null, response?: etcdserverpb.AuthenticateResponse): void =>
			response === undefined ? reject(error) : resolve(response);
		client.makeUnaryRequest(
			"/etcdserverpb.Auth/Authenticate",
			(message: typeof request) => Buffer.from(AuthenticateRequest.encode(message)),
			(bytes) => AuthenticateResponse.decode(bytes),
			request,
			answer,
		);
	});
	metadata.set("token", token);
	return metadata;
}

/** The last 32 bytes are the SHA-256 of all before them. */
async function receive(client: Client, metadata: Metadata, file: FileHandle): Promise<void> {
	const stream = client.makeServerStreamRequest(
		"/etcdserverpb.Maintenance/Snapshot",
		() => Buffer.alloc(0),
		(bytes) => etcdserverpb.SnapshotResponse.decode(bytes),
		{},
		metadata,
	);
	const digest = createHash("sha256");
	let held: Uint8Array = new Uint8Array(0);
	let bytes = 0;
	// One message is held back: the last one is the digest. An error of the call is thrown here.
	for await (const { blob } of stream as AsyncIterable<etcdserverpb.SnapshotResponse>) {
		digest.update(held);
		await file.write(blob);
		bytes += blob.length;
		held = blob;
	}
	if (bytes % IMAGE_BLOCK_BYTES !== IMAGE_DIGEST_BYTES || held.length !== IMAGE_DIGEST_BYTES) {
		throw new Error(`the snapshot is cut off: ${bytes} bytes came, and no digest at their end`);
	}
	if (!digest.digest().equals(held)) throw new Error("the snapshot came damaged: its SHA-256 is another one than its end says");
}

async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
