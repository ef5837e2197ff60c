import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Dice } from "@flotilla/base";
import type { Entry } from "@flotilla/raft";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileCompletion, FileOp } from "../../src/disk/file-ops.ts";
import { NodeDisk } from "../../src/disk/node-disk.ts";
import { nodeBytes } from "../../src/node-bytes.ts";
import { LogFolder, type LogOpening } from "../../src/wal/log-folder.ts";
import { foldersNotSynced, framesNotSynced } from "./calls.ts";
import { BASE, FIRST_STATE, IDENTITY, Model, matchingSeq, SMALL } from "./log-fixture.ts";

let root = "";
beforeEach(async () => {
	root = await mkdtemp(join(tmpdir(), "flotilla-wal-"));
});
afterEach(() => rm(root, { recursive: true }));

type WithoutId<Op> = Op extends FileOp ? Omit<Op, "id"> : never;

/** A disk whose operations are promises, for tests of the disk alone. */
function asker(disk: NodeDisk): (op: WithoutId<FileOp>) => Promise<FileCompletion> {
	const waiting = new Map<number, (completion: FileCompletion) => void>();
	disk.onCompletion = (completion) => waiting.get(completion.id)?.(completion);
	let id = 0;
	return (op) =>
		new Promise((resolve) => {
			waiting.set(++id, resolve);
			disk.submit({ ...op, id } as FileOp);
		});
}

async function openLog(options = SMALL, make: boolean) {
	const disk = new NodeDisk(root);
	let durableSeq = 0;
	let watch = (): void => {};
	const folder = new LogFolder(options, {
		bytes: nodeBytes,
		events: {
			durable: (seq) => {
				durableSeq = seq;
				watch();
			},
			failed: (reason) => {
				throw new Error(reason);
			},
			cut: () => {},
			emit: (op) => disk.submit(op),
			synced: () => {},
		},
	});
	disk.onCompletion = (completion) => folder.complete(completion);
	const opening = await new Promise<LogOpening>((resolve) => {
		if (make) folder.create(IDENTITY, FIRST_STATE, BASE, resolve);
		else folder.recover(resolve);
	});
	if (!opening.ok) throw new Error(opening.refusal.text);
	const { wal, recovered } = opening;
	return {
		wal,
		recovered,
		durable: (seq: number) =>
			new Promise<void>((resolve) => {
				watch = () => {
					if (durableSeq >= seq) resolve();
				};
				watch();
			}),
		async readAll(): Promise<Entry[]> {
			const entries: Entry[] = [];
			for (;;) {
				const next = wal.firstIndex + entries.length;
				const read = await new Promise<readonly Entry[]>((done) => wal.read(next, Number.MAX_SAFE_INTEGER, 10_000, done));
				if (read.length === 0) return entries;
				entries.push(...read);
			}
		},
		async close(): Promise<void> {
			await new Promise<void>((done) => wal.close(done));
			await disk.close();
		},
		leave: () => disk.close(),
	};
}

describe("a log on a real disk", () => {
	it("survives clean stops and ends without one, over many segments", { timeout: 60_000 }, async () => {
		const dice = new Dice("real disk");
		const model = new Model(dice);
		const options = { ...SMALL, segmentBytes: 16_384 };
		for (let life = 0; life < 4; life++) {
			const log = await openLog(options, life === 0);
			if (life > 0) {
				const before = model.lastSeq;
				const seq = matchingSeq(model, before, log.recovered, await log.readAll());
				expect(seq, String(seq)).toBe(before);
				expect(log.recovered.cleanStop).toBe(life % 2 === 1);
				model.restart({ ...model.last, hardState: log.recovered.hardState, framedCommit: log.recovered.hardState.commit });
			}
			for (let i = 0; i < 100; i++) {
				log.wal.append(model.next());
				if (dice.chance(1, 2)) log.wal.flush();
				if (dice.chance(1, 4)) await log.durable(model.lastSeq - 5);
			}
			log.wal.flush();
			await log.durable(model.lastSeq);
			await (life % 2 === 0 ? log.close() : log.leave());
		}
		expect((await readdir(join(root, "wal"))).filter((name) => name.endsWith(".wal")).length).toBeGreaterThan(2);
	});
});

/** Runs a writer, kills it after some lines, and returns the last index that it called durable. */
function writeAndKill(make: boolean, lines: number): Promise<number> {
	const script = fileURLToPath(new URL("./kill-child.ts", import.meta.url));
	const child = spawn(process.execPath, ["--conditions=@flotilla/source", script, root, make ? "make" : "open"], {
		stdio: ["ignore", "pipe", "inherit"],
		timeout: 30_000,
		killSignal: "SIGKILL",
	});
	return new Promise((resolve, reject) => {
		let text = "";
		child.stdout.on("data", (data: Buffer) => {
			text += data.toString();
			if (text.split("\n").length > lines) child.kill("SIGKILL");
		});
		child.on("error", reject);
		child.on("close", (code) => {
			if (code === null) resolve(Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1)));
			else reject(new Error(`the writer ended by itself with ${code}`));
		});
	});
}

describe("a process that is killed", () => {
	it("has told nothing to be durable that the next one does not find", { timeout: 60_000 }, async () => {
		for (const [round, lines] of [40, 3, 150, 1].entries()) {
			const told = await writeAndKill(round === 0, lines);
			const log = await openLog({ ...SMALL, segmentBytes: 64 * 1024, keepEntries: 1_000_000 }, false);
			expect(log.recovered.lastIndex).toBeGreaterThanOrEqual(told);
			const entries = await log.readAll();
			expect(entries.length).toBe(log.recovered.lastIndex - 1);
			for (const { index, data } of entries) {
				expect(data.length).toBe(100 + (index % 500));
				expect(data.every((byte) => byte === index % 256)).toBe(true);
			}
			await (round % 2 === 0 ? log.leave() : log.close());
		}
	});
});

describe("a real disk", () => {
	it("carries out each operation and names each error", async () => {
		const disk = new NodeDisk(root);
		const ask = asker(disk);
		expect((await ask({ kind: "makeFolder", folder: "a" })).error).toBe(null);
		expect((await ask({ kind: "makeFolder", folder: "a" })).error).toBe(null);
		expect((await ask({ kind: "create", path: "a/x", bytes: 3_000_000 })).error).toBe(null);
		expect((await ask({ kind: "create", path: "a/x", bytes: 10 })).error).toBe("EEXIST");
		expect((await ask({ kind: "size", path: "a/x" })).bytes).toBe(3_000_000);
		const data = new Uint8Array([1, 2, 3]);
		expect((await ask({ kind: "write", path: "a/x", lane: 1, offset: 2_999_999, data })).bytes).toBe(3);
		expect((await ask({ kind: "read", path: "a/x", offset: 2_999_998, bytes: 10 })).data).toEqual(new Uint8Array([0, 1, 2, 3]));
		expect((await ask({ kind: "sync", path: "a/x" })).error).toBe(null);
		expect((await ask({ kind: "rename", from: "a/x", to: "a/y" })).error).toBe(null);
		expect((await ask({ kind: "write", path: "a/x", lane: 1, offset: 0, data })).error).toBe("ENOENT");
		expect((await ask({ kind: "writeFile", path: "a/b", data })).error).toBe(null);
		expect((await ask({ kind: "writeFile", path: "a/b", data: data.subarray(1) })).error).toBe(null);
		expect((await ask({ kind: "read", path: "a/b", offset: 0, bytes: 10 })).data).toEqual(new Uint8Array([2, 3]));
		expect((await ask({ kind: "list", folder: "a" })).names).toEqual(["b", "y"]);
		expect((await ask({ kind: "list", folder: "none" })).error).toBe("ENOENT");
		expect((await ask({ kind: "syncFolder", folder: "a" })).error).toBe(null);
		expect((await ask({ kind: "syncFolder", folder: "a/b" })).error).toBe("ENOTDIR");
		expect((await ask({ kind: "unlink", path: "a/b" })).error).toBe(null);
		expect((await ask({ kind: "read", path: "a/b", offset: 0, bytes: 10 })).error).toBe("ENOENT");
		expect((await ask({ kind: "size", path: "a" })).error).toBe("ENOTSUP");
		expect((await stat(join(root, "a/y"))).mode & 0o777).toBe(0o600);
		await disk.close();
	});

	it("does not follow a link that leads elsewhere", async () => {
		const disk = new NodeDisk(root);
		const ask = asker(disk);
		await writeFile(join(root, "elsewhere"), "text");
		await symlink(join(root, "elsewhere"), join(root, "link"));
		expect((await ask({ kind: "read", path: "link", offset: 0, bytes: 4 })).error).toBe("ELOOP");
		expect((await ask({ kind: "write", path: "link", lane: 0, offset: 0, data: new Uint8Array(1) })).error).toBe("ELOOP");
		expect((await ask({ kind: "size", path: "link" })).error).toBe("ENOTSUP");
		await disk.close();
	});

	it("closes when all that was submitted is done, and keeps no descriptor", async () => {
		const disk = new NodeDisk(root);
		const done: number[] = [];
		disk.onCompletion = ({ id }) => void done.push(id);
		disk.submit({ id: 1, kind: "create", path: "x", bytes: 100_000 });
		disk.submit({ id: 2, kind: "create", path: "y", bytes: 100_000 });
		for (let id = 3; id < 10; id++) disk.submit({ id, kind: "size", path: "x" });
		await disk.close();
		expect(done.length).toBe(9);
		expect(done).toContain(2);
		const held = (await readdir("/proc/self/fd")).length;
		const again = new NodeDisk(root);
		const ask = asker(again);
		for (let lane = 0; lane < 4; lane++) await ask({ kind: "write", path: "x", lane, offset: 0, data: new Uint8Array(8) });
		await ask({ kind: "read", path: "x", offset: 0, bytes: 8 });
		expect((await readdir("/proc/self/fd")).length).toBe(held + 5);
		await again.close();
		expect((await readdir("/proc/self/fd")).length).toBe(held);
	});

	const noDsync = process.platform === "linux" ? "" : " (left out: only Linux syncs within the write)";
	it.skipIf(noDsync !== "")(
		`writes each lane on a descriptor of its own that syncs within the write (rules W2, W3)${noDsync}`,
		async () => {
			const disk = new NodeDisk(root);
			const ask = asker(disk);
			await ask({ kind: "create", path: "x", bytes: 100 });
			for (const lane of [0, 1])
				expect((await ask({ kind: "write", path: "x", lane, offset: lane, data: new Uint8Array(1) })).error).toBe(null);
			const held: number[] = [];
			for (const fd of await readdir("/proc/self/fd")) {
				const leadsTo = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
				if (leadsTo !== join(root, "x")) continue;
				const info = await readFile(`/proc/self/fdinfo/${fd}`, "utf8");
				held.push(Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(info)?.[1] ?? "", 8));
			}
			expect(held.length).toBe(2);
			for (const flags of held) expect(flags & constants.O_DSYNC).toBe(constants.O_DSYNC);
			await disk.close();
		},
	);
});

describe("what the kernel is asked for", () => {
	const noTrace =
		spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0 ? "" : " (left out: needs strace, and leave to trace)";
	it.skipIf(noTrace !== "")(
		`frames are synced within their write, and a new segment's name before the next word (rules W2, W5)${noTrace}`,
		async () => {
			const calls = await traceWriter(400);
			const files = new Set(calls.match(/wal\/[^/>]*\.wal(?=>, )/g));
			expect(files.size).toBeGreaterThan(2);
			expect(framesNotSynced(calls)).toEqual([]);
			expect(foldersNotSynced(calls, 1)).toEqual([]);
		},
		120_000,
	);
});

/** The calls of a writer that ends when nobody hears it any more, which is after so many lines. */
async function traceWriter(lines: number): Promise<string> {
	const script = fileURLToPath(new URL("./kill-child.ts", import.meta.url));
	const trace = ["-f", "-y", "-qq", "-s", "8", "-e", "trace=openat,pwrite64,write,rename,fsync", "-o", join(root, "calls")];
	const writer = [process.execPath, "--conditions=@flotilla/source", script, root, "make"];
	const child = spawn("strace", [...trace, ...writer], { stdio: ["ignore", "pipe", "ignore"] });
	let heard = 0;
	child.stdout.on("data", (data: Buffer) => {
		heard += data.toString().split("\n").length - 1;
		if (heard > lines) child.stdout.destroy();
	});
	await new Promise((resolve) => child.on("close", resolve));
	return await readFile(join(root, "calls"), "utf8");
}
