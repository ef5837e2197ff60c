/** Whether a data folder is one of etcd: whoever moves over tries that first, and is told the way that there is. Changes nothing. */
import { access, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { FORMAT_FILE } from "./driver/format-file.ts";
import { refusal, type StartRefusal } from "./driver/refusal.ts";
import { MEMBER_FOLDER } from "./member-folder.ts";

/** A log of etcd begins with the length of its first record, and that is a checksum's. */
const FIRST_RECORD_AT = 8;
const FIRST_RECORD = Buffer.from([0x08, 0x04]);

/** Null: it is no folder of etcd, as far as can be seen. */
export async function refuseEtcdFolder(dataDir: string): Promise<StartRefusal | null> {
	const found = await fileOfEtcd(dataDir);
	if (found === null) return null;
	return refusal("ofEtcd", {
		what: "this is a data folder of etcd, and nothing in it was changed",
		where: found,
		found: "a file of etcd",
		wanted: "the data folder of a member of flotilla, or an empty one",
		next: "Name another --data-dir, and have flotilla migrate copy the data from the etcd that runs on this one",
	});
}

/** Relative to the data folder. */
export async function fileOfEtcd(dataDir: string): Promise<string | null> {
	if (await isThere(join(dataDir, MEMBER_FOLDER, FORMAT_FILE))) return null;
	const [store, logs] = [`${MEMBER_FOLDER}/snap/db`, `${MEMBER_FOLDER}/wal`];
	if (await isThere(join(dataDir, store))) return store;
	const names = await readdir(join(dataDir, logs)).catch(() => []);
	const log = names.sort((one, other) => (one < other ? -1 : 1)).find((name) => name.endsWith(".wal"));
	// A member of flotilla has files of such names in the same place, and may have lost all others.
	return log !== undefined && (await isLogOfEtcd(join(dataDir, logs, log))) ? `${logs}/${log}` : null;
}

function isThere(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}

async function isLogOfEtcd(path: string): Promise<boolean> {
	try {
		await using file = await open(path, "r");
		const { bytesRead, buffer } = await file.read(Buffer.alloc(FIRST_RECORD.length), 0, FIRST_RECORD.length, FIRST_RECORD_AT);
		return bytesRead === FIRST_RECORD.length && buffer.equals(FIRST_RECORD);
	} catch {
		return false;
	}
}
