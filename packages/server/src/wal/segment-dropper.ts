import type { FileScript, FileScripts } from "../disk/file-script.ts";
import type { LogSegment } from "./log-map.ts";

/**
 * Removes segments one after another, oldest first, each name durably gone before the next: so what a crash leaves of the log
 * never has a gap. A segment that is being read waits, and those after it.
 */
export class SegmentDropper {
	private readonly folder: string;
	private readonly scripts: FileScripts;
	private readonly done: (problem: string | null) => void;
	/** At most as many as the log had segments. */
	private readonly doomed: LogSegment[] = [];
	private running = false;

	/** `done` is called after each segment that is gone, or with what went wrong. */
	constructor(folder: string, scripts: FileScripts, done: (problem: string | null) => void) {
		this.folder = folder;
		this.scripts = scripts;
		this.done = done;
	}

	drop(segment: LogSegment): void {
		this.doomed.push(segment);
		this.step();
	}

	/** A read of the segment ended. */
	released(segment: LogSegment): void {
		if (segment === this.doomed[0]) this.step();
	}

	private step(): void {
		const oldest = this.doomed[0];
		if (this.running || oldest === undefined || oldest.readers > 0) return;
		this.running = true;
		this.scripts.run(remove(this.folder, oldest.path), (problem) => {
			this.running = false;
			this.doomed.shift();
			this.done(problem);
			if (problem === null) this.step();
		});
	}
}

function* remove(folder: string, path: string): FileScript<string | null> {
	const closed = yield { kind: "close", path };
	if (closed.error !== null) return `closing ${path} failed with ${closed.error}`;
	const removed = yield { kind: "unlink", path };
	if (removed.error !== null) return `removing ${path} failed with ${removed.error}`;
	const synced = yield { kind: "syncFolder", folder };
	return synced.error === null ? null : `syncing the folder ${folder} failed with ${synced.error}`;
}
