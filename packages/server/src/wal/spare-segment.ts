import { assert, marks } from "@flotilla/base";
import type { FileScript, FileScripts } from "../disk/file-script.ts";
import { LARGE_NAME, SPARE_NAME } from "./tail-repair.ts";

type Spare = { readonly state: "none" | "making" | "ready" } | { readonly state: "failed"; readonly error: string };

/**
 * One file of zeros in store, so that a full disk is met here and not in the middle of a segment. That making it fails is
 * no fault by itself: it is tried again when room was made, and last when it is needed.
 */
export class SpareSegment {
	private readonly folder: string;
	private readonly segmentBytes: number;
	private readonly scripts: FileScripts;
	private spare: Spare = { state: "none" };
	private waiting: ((error: string | null) => void) | null = null;

	constructor(folder: string, segmentBytes: number, scripts: FileScripts) {
		this.folder = folder;
		this.segmentBytes = segmentBytes;
		this.scripts = scripts;
	}

	/** Why there is none, if the last try failed. */
	get failure(): string | null {
		return this.spare.state === "failed" ? this.spare.error : null;
	}

	/** Makes one unless there is one. */
	prepare(): void {
		if (this.spare.state === "making" || this.spare.state === "ready") return;
		this.spare = { state: "making" };
		this.scripts.run(make(`${this.folder}/${SPARE_NAME}`, this.segmentBytes), (error) => {
			this.spare = error === null ? { state: "ready" } : { state: "failed", error };
			const { waiting } = this;
			this.waiting = null;
			waiting?.(error);
		});
	}

	/** Gives away a file with room for `bytes`: its path and size, or what went wrong. One request at a time. */
	take(bytes: number, done: (file: { readonly path: string; readonly bytes: number } | { readonly error: string }) => void): void {
		if (bytes > this.segmentBytes) {
			const [path, size] = [`${this.folder}/${LARGE_NAME}`, Math.ceil(bytes / 4096) * 4096];
			this.scripts.run(make(path, size), (error) => done(error === null ? { path, bytes: size } : { error }));
			return;
		}
		const give = (error: string | null): void => {
			if (error !== null) {
				done({ error });
				return;
			}
			this.spare = { state: "none" };
			done({ path: `${this.folder}/${SPARE_NAME}`, bytes: this.segmentBytes });
		};
		if (this.spare.state === "ready") {
			give(null);
			return;
		}
		assert(this.waiting === null, "one segment is begun at a time");
		this.waiting = give;
		this.prepare();
	}
}

function* make(path: string, bytes: number): FileScript<string | null> {
	const created = yield { kind: "create", path, bytes };
	if (created.error === null) return null;
	marks.spareFailed++;
	// Half a file takes room that something else may need, and its name is wanted again.
	yield { kind: "unlink", path };
	return `making ${path} with ${bytes} bytes failed with ${created.error}`;
}
