import { createHash } from "node:crypto";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { etcdserverpb } from "@flotilla/api";
import { IMAGE_BLOCK_BYTES, IMAGE_DIGEST_BYTES } from "../driver/snapshot-image.ts";
import { type Access, OutsideClient } from "./outside-client.ts";

export interface SaveOptions extends Access {
	readonly endpoint: string;
}

/** Writes beside the file and renames at the end: what stands under the final name is whole, verified and durable. */
export async function saveSnapshot(target: string, options: SaveOptions): Promise<void> {
	const path = await replaceable(target);
	const part = await replaceable(`${path}.part`);
	const client = await OutsideClient.open(options.endpoint, options);
	try {
		// A stream has no deadline; whoever does not answer is found out by a call that has one.
		await client.introduce();
		const file = await open(part, "w", 0o600);
		try {
			await receive(client, file);
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

/**
 * What a rename would put a file in the place of, such as a device or a folder, is refused. A link stays, and what it leads to is
 * replaced.
 */
async function replaceable(path: string): Promise<string> {
	try {
		if (!(await stat(path)).isFile()) throw new Error(`${path} exists and is no regular file, so nothing was done`);
		return await realpath(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return path;
		throw error;
	}
}

/** The last 32 bytes are the SHA-256 of all before them. */
async function receive(client: OutsideClient, file: FileHandle): Promise<void> {
	const digest = createHash("sha256");
	let held: Uint8Array = new Uint8Array(0);
	let bytes = 0;
	// One message is held back: the last one is the digest. An error of the call is thrown here.
	for await (const { blob } of client.snapshot() as AsyncIterable<etcdserverpb.SnapshotResponse>) {
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
