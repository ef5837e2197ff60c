import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { OpenStore, StoreHouse, StoreOpening } from "../ports.ts";
import { describeLevelError } from "./level-errors.ts";
import { LevelStore } from "./level-store.ts";

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
		LevelStore.open(this.path(generation), create).then(
			(opening) => done(opening.ok ? { ok: true, store: opened(opening.store) } : opening),
			(error: unknown) => done({ ok: false, code: "io", text: describeLevelError(error) }),
		);
	}

	remove(generation: string, done: (error: string | null) => void): void {
		rm(this.path(generation), { recursive: true, force: true }).then(
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
