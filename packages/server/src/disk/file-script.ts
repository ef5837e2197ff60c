/**
 * Sequences of file operations written as generators: `const completion = yield {kind: "size", path}`. No promise and no
 * clock: whoever runs a script emits what it yields and hands back the completion in a later turn.
 */
import { fail } from "@flotilla/base";
import type { FileCompletion, FileOp } from "./file-ops.ts";

type WithoutId<Op> = Op extends FileOp ? Omit<Op, "id"> : never;
export type FileRequest = WithoutId<FileOp>;
export type FileScript<T> = Generator<FileRequest, T, FileCompletion>;

/** Runs scripts side by side and single operations, all with ids of one series. */
export class FileScripts {
	private readonly emit: (op: FileOp) => void;
	private readonly waiting = new Map<number, (completion: FileCompletion) => void>();
	private nextId = 1;

	constructor(emit: (op: FileOp) => void) {
		this.emit = emit;
	}

	/** Starts the script; `done` is called in the turn of its last completion (at once if it needs no operation). */
	run<T>(script: FileScript<T>, done: (result: T) => void): void {
		const step = (completion: FileCompletion | null): void => {
			const result = completion === null ? script.next() : script.next(completion);
			if (result.done) done(result.value);
			else this.submit(result.value, step);
		};
		step(null);
	}

	submit(request: FileRequest, done: (completion: FileCompletion) => void): void {
		const id = this.nextId++;
		this.waiting.set(id, done);
		this.emit({ ...request, id } as FileOp);
	}

	complete(completion: FileCompletion): void {
		const done = this.waiting.get(completion.id);
		if (done === undefined) fail("a completion must belong to an operation under way", { id: completion.id });
		this.waiting.delete(completion.id);
		done(completion);
	}

	/** Operations under way. */
	get pending(): number {
		return this.waiting.size;
	}
}
