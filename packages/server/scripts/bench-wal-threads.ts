/**
 * Who should wait for the disk? Durable writes a second, and how long the event loop was held at most, by the thread that writes the log:
 *
 *   node --conditions=@flotilla/source packages/server/scripts/bench-wal-threads.ts [folder] [seconds for each row]
 *
 * The same under a disk that stands still for a second now and then (Linux, strace, root):
 *
 *   strace -f -qq -o /dev/null -e trace=pwrite64,fdatasync -e inject=pwrite64:delay_enter=1000000:when=300+300 node ...
 *
 * `pool O_DSYNC`, two writes at once, is what `NodeDisk` does. Makes a folder of its own inside the given one and removes it.
 */
import { closeSync, constants, fdatasync, fdatasyncSync, mkdtempSync, openSync, rmSync, write, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";

const parent = process.argv[2] ?? tmpdir();
const seconds = Number(process.argv[3] ?? 2);
const SEGMENT_BYTES = 16 << 20;
const { O_DSYNC, O_RDWR, O_CREAT } = constants;

/** Writes `bytes` at `at` and says when they are durable. */
type Writer = (bytes: Uint8Array, at: number, done: () => void) => void;

interface Model {
	readonly name: string;
	open(file: string): { readonly write: Writer; readonly close: () => void };
}

const MODELS: readonly Model[] = [
	{
		name: "loop, O_DSYNC",
		open(file) {
			const fd = openSync(file, O_RDWR | O_CREAT | O_DSYNC);
			return {
				write(bytes, at, done) {
					writeSync(fd, bytes, 0, bytes.length, at);
					setImmediate(done);
				},
				close: () => closeSync(fd),
			};
		},
	},
	{
		name: "loop, fdatasync",
		open(file) {
			const fd = openSync(file, O_RDWR | O_CREAT);
			return {
				write(bytes, at, done) {
					writeSync(fd, bytes, 0, bytes.length, at);
					fdatasyncSync(fd);
					setImmediate(done);
				},
				close: () => closeSync(fd),
			};
		},
	},
	{
		name: "pool, O_DSYNC",
		open(file) {
			const fd = openSync(file, O_RDWR | O_CREAT | O_DSYNC);
			return { write: (bytes, at, done) => write(fd, bytes, 0, bytes.length, at, demand(done)), close: () => closeSync(fd) };
		},
	},
	{
		name: "pool, write then fdatasync",
		open(file) {
			const fd = openSync(file, O_RDWR | O_CREAT);
			const sync = (done: () => void) => (error: Error | null) => {
				if (error !== null) throw error;
				fdatasync(fd, demand(done));
			};
			return { write: (bytes, at, done) => write(fd, bytes, 0, bytes.length, at, sync(done)), close: () => closeSync(fd) };
		},
	},
	{
		name: "worker, O_DSYNC",
		open(file) {
			const fd = openSync(file, O_RDWR | O_CREAT | O_DSYNC);
			const source = `
				const { parentPort, workerData: fd } = require("node:worker_threads");
				const { writeSync } = require("node:fs");
				parentPort.on("message", ({ bytes, at }) => { writeSync(fd, bytes, 0, bytes.length, at); parentPort.postMessage(0); });
			`;
			const worker = new Worker(source, { eval: true, workerData: fd });
			const waiting: (() => void)[] = [];
			worker.on("message", () => waiting.shift()?.());
			return {
				write(bytes, at, done) {
					waiting.push(done);
					worker.postMessage({ bytes, at });
				},
				close: () => void worker.terminate().then(() => closeSync(fd)),
			};
		},
	},
];

function demand(done: () => void): (error: Error | null) => void {
	return (error) => {
		if (error !== null) throw error;
		done();
	};
}

interface Row {
	readonly writes: number;
	readonly heldMs: number;
}

/** `atOnce` writes of `size` bytes on their way for a while, over a file that has its length. */
async function measure(model: Model, folder: string, size: number, atOnce: number): Promise<Row> {
	const file = join(folder, "segment");
	const fill = openSync(file, O_RDWR | O_CREAT);
	writeSync(fill, Buffer.alloc(SEGMENT_BYTES));
	fdatasyncSync(fill);
	closeSync(fill);
	// Made anew for each write, as the log's are.
	const { write: writeOne, close } = model.open(file);
	const delay = monitorEventLoopDelay({ resolution: 1 });
	const endMs = performance.now() + seconds * 1_000;
	let [writes, at, underWay] = [0, 0, 0];
	delay.enable();
	await new Promise<void>((resolve) => {
		const next = (): void => {
			if (performance.now() >= endMs) {
				if (underWay === 0) resolve();
				return;
			}
			underWay++;
			if (at + size > SEGMENT_BYTES) at = 0;
			writeOne(Buffer.alloc(size, writes), at, () => {
				underWay--;
				writes++;
				next();
			});
			at += size;
		};
		for (let n = 0; n < atOnce; n++) next();
	});
	delay.disable();
	close();
	rmSync(file);
	return { writes, heldMs: delay.max / 1e6 };
}

const folder = mkdtempSync(join(parent, "flotilla-bench-wal-"));
try {
	for (const size of [512, 16_384]) {
		for (const atOnce of [1, 2]) {
			for (const model of MODELS) {
				const { writes, heldMs } = await measure(model, folder, size, atOnce);
				const shape = `${String(size).padStart(6)} B, ${atOnce} at once`;
				console.log(
					`${shape}  ${model.name.padEnd(28)} ${(writes / seconds).toFixed(0).padStart(7)} writes/s   loop held ${heldMs.toFixed(1).padStart(7)} ms at most`,
				);
			}
		}
	}
} finally {
	rmSync(folder, { recursive: true, force: true });
}
