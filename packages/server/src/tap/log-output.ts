/** Where log lines go: standard streams and files, written without ever holding the event loop. */
import { fstatSync, openSync, write, writeSync } from "node:fs";
import type { Writable } from "node:stream";

/** Bytes that may wait for an output; beyond that new lines are dropped and counted. */
export const LOG_BUFFER_BYTES_MAX = 1 << 20;

/** Carries one chunk out; `done` is called in a later turn, with false when the output is gone for good. */
export interface LineSink {
	write(chunk: string, done: (ok: boolean) => void): void;
	/** For the last words of a process: writes what can be written without waiting. */
	writeNow(chunk: string): void;
}

/**
 * A bounded buffer before a sink, with one write under way at a time. A reader that is slow or stuck costs lines, counted
 * and told as soon as there is room; a closed output costs all further lines; neither is ever waited for.
 */
export class LogOutput {
	private readonly sink: LineSink;
	private readonly bytesMax: number;
	private readonly describeDropped: (count: number) => string;
	private waiting: string[] = [];
	private waitingBytes = 0;
	private flying: string | null = null;
	private closed = false;
	private untold = 0;
	private droppedLines = 0;
	private settling: Array<() => void> = [];

	constructor(sink: LineSink, describeDropped: (count: number) => string, bytesMax: number = LOG_BUFFER_BYTES_MAX) {
		this.sink = sink;
		this.bytesMax = bytesMax;
		this.describeDropped = describeDropped;
	}

	/** Takes one line with its line feed. */
	write(line: string): void {
		if (this.closed || this.waitingBytes + line.length > this.bytesMax) {
			this.droppedLines++;
			this.untold++;
			return;
		}
		if (this.untold > 0) {
			const news = this.describeDropped(this.untold);
			this.untold = 0;
			this.waiting.push(news);
			this.waitingBytes += news.length;
		}
		this.waiting.push(line);
		this.waitingBytes += line.length;
		if (this.flying === null) this.start();
	}

	/** Lines lost since the start. */
	get dropped(): number {
		return this.droppedLines;
	}

	/** Before the process ends: hands over what waits, as far as that goes without waiting. */
	flush(): void {
		if (this.closed || this.waiting.length === 0) return;
		const chunk = this.waiting.join("");
		this.waiting = [];
		this.waitingBytes = 0;
		this.sink.writeNow(chunk);
	}

	/** Resolves when everything that was taken is written, or lost: a chunk under way is cut off by the end of the process. */
	settled(): Promise<void> {
		if (this.flying === null) return Promise.resolve();
		return new Promise((resolve) => this.settling.push(resolve));
	}

	private start(): void {
		this.flying = this.waiting.join("");
		this.waiting = [];
		// The chunk under way still counts: memory is bounded by what is held, not by what waits.
		this.waitingBytes = this.flying.length;
		this.sink.write(this.flying, (ok) => this.finish(ok));
	}

	private finish(ok: boolean): void {
		this.waitingBytes -= this.flying?.length ?? 0;
		this.flying = null;
		if (!ok) {
			this.closed = true;
			this.droppedLines += this.waiting.length;
			this.waiting = [];
			this.waitingBytes = 0;
			this.settle();
			return;
		}
		if (this.waiting.length > 0) this.start();
		else this.settle();
	}

	private settle(): void {
		const { settling } = this;
		this.settling = [];
		for (const resolve of settling) resolve();
	}
}

/** A pipe, socket or terminal. Errors (the reader went away) close it. */
export function streamSink(stream: Writable & { readonly fd?: number }): LineSink {
	stream.on("error", () => {});
	return {
		write: (chunk, done) => void stream.write(chunk, (error) => done(error === null || error === undefined)),
		writeNow(chunk) {
			// The stream's own buffer would be lost when the process ends.
			if (typeof stream.fd === "number") writeAllNow(stream.fd, chunk);
			else stream.write(chunk);
		},
	};
}

/** A regular file, appended to through the thread pool: the page cache may make a writer wait. */
export function fileSink(descriptor: number): LineSink {
	return {
		write(chunk, done) {
			const bytes = Buffer.from(chunk);
			const writeFrom = (at: number): void => {
				write(descriptor, bytes, at, bytes.length - at, null, (error, written) => {
					if (error !== null) done(false);
					else if (at + written < bytes.length) writeFrom(at + written);
					else done(true);
				});
			};
			writeFrom(0);
		},
		writeNow: (chunk) => writeAllNow(descriptor, chunk),
	};
}

/**
 * Opens the outputs that `--log-outputs` names: `default` and `stderr`, `stdout`, or a file path (appended to, mode 0600).
 * Throws when a file cannot be opened.
 */
export function openLogSink(name: string): LineSink {
	if (name === "default" || name === "stderr") return standardSink(process.stderr, 2);
	if (name === "stdout") return standardSink(process.stdout, 1);
	return fileSink(openSync(name, "a", 0o600));
}

function standardSink(stream: Writable & { readonly fd?: number }, descriptor: number): LineSink {
	return isRegularFile(descriptor) ? fileSink(descriptor) : streamSink(stream);
}

function isRegularFile(descriptor: number): boolean {
	try {
		return fstatSync(descriptor).isFile();
	} catch {
		return false;
	}
}

function writeAllNow(descriptor: number, chunk: string): void {
	const bytes = Buffer.from(chunk);
	let at = 0;
	try {
		while (at < bytes.length) at += writeSync(descriptor, bytes, at);
	} catch {
		// Full or closed: the lines are lost, the process goes on to end.
	}
}
