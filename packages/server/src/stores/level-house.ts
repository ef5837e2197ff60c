import { existsSync } from "node:fs";
import { open, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OpenStore, StoreHouse, StoreOpening } from "../ports.ts";
import { describeLevelError } from "./level-errors.ts";
import { type LevelOpening, LevelStore } from "./level-store.ts";
import { probeStore } from "./store-probe.ts";

const FOLDER = /^store\.([1-9]\d{0,14})$/;

/** The stores in a member's folder, on LevelDB. */
export class LevelHouse implements StoreHouse {
	private readonly folder: string;

	constructor(memberFolder: string) {
		this.folder = memberFolder;
	}

	list(done: (generations: readonly string[], error?: string) => void): void {
		readdir(this.folder).then(
			(names) => done(names.flatMap((name) => FOLDER.exec(name)?.[1] ?? []).sort((a, b) => Number(a) - Number(b))),
			(error: unknown) => done([], describeLevelError(error)),
		);
	}

	open(generation: string, create: boolean, done: (opening: StoreOpening) => void): void {
		openNoted(this.path(generation), create).then(
			(opening) => done(opening.ok ? { ok: true, store: opened(opening.store) } : opening),
			(error: unknown) => done({ ok: false, code: "io", text: describeLevelError(error) }),
		);
	}

	remove(generation: string, done: (error: string | null) => void): void {
		const path = this.path(generation);
		Promise.all([rm(path, { recursive: true, force: true }), rm(noteOf(path), { force: true })]).then(
			() => done(null),
			(error: unknown) => done(describeLevelError(error)),
		);
	}

	sync(done: (error: string | null) => void): void {
		syncFolder(this.folder).then(
			() => done(null),
			(error: unknown) => done(describeLevelError(error)),
		);
	}

	private path(generation: string): string {
		return join(this.folder, `store.${generation}`);
	}
}

/**
 * A note lies beside the store from its opening until all of it was read once. Where an earlier life left one, it may have died of
 * what it read: then another process reads first. (A life that was killed while it read leaves one as well; that costs time only.)
 */
async function openNoted(path: string, create: boolean): Promise<LevelOpening> {
	const note = noteOf(path);
	if (create) return LevelStore.open(path, create);
	if (existsSync(note)) {
		const end = await probeStore(path);
		if (end !== null) return { ok: false, code: "damaged", text: end };
	}
	// On a disk that takes no note a store may still be read.
	await writeFile(note, "").catch(() => {});
	const opening = await LevelStore.open(path, create);
	if (!opening.ok) await rm(note, { force: true });
	else opening.store.onScanned = () => void rm(note, { force: true }).catch(() => {});
	return opening;
}

function noteOf(path: string): string {
	return `${path}.opening`;
}

async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

function opened(store: LevelStore): OpenStore {
	return {
		get onCompletion() {
			return store.onCompletion;
		},
		set onCompletion(listener) {
			store.onCompletion = listener;
		},
		get: (key) => store.get(key),
		submit: (op) => store.submit(op),
		sizeBytes: () => store.sizeBytes(),
		// Whatever closing says, the lock is released: nobody waits for more.
		close: (done) => void store.close().then(done, done),
	};
}
