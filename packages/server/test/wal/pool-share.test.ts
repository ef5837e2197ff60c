/** Rule W8: of the threads that wait for the disk the log's writes always find one, whatever else is asked of it. */
import fs from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeDisk } from "../../src/disk/node-disk.ts";

const ASKED = 24;

let root = "";
let disk: NodeDisk;
let completed: number[];
let restore = (): void => {};

beforeEach(async () => {
	root = await mkdtemp(join(tmpdir(), "flotilla-pool-"));
	await writeFile(join(root, "log"), new Uint8Array(4_096));
	disk = new NodeDisk(root);
	completed = [];
	disk.onCompletion = ({ id, error }) => {
		expect(error).toBe(null);
		completed.push(id);
	};
});

afterEach(async () => {
	restore();
	await disk.close();
	await rm(root, { recursive: true });
});

/** Every call of that name, as long as it is held: how many there are at a time, and what lets them go. */
function hold(name: "read" | "fdatasync"): { most: number; letGo(): void } {
	const real = fs[name] as (...args: unknown[]) => void;
	let held: Array<() => void> | null = [];
	let underWay = 0;
	const watched = {
		most: 0,
		letGo(): void {
			const all = held ?? [];
			held = null;
			for (const go of all) go();
		},
	};
	const replacement = (...args: unknown[]): void => {
		const done = args.pop() as (...results: unknown[]) => void;
		watched.most = Math.max(watched.most, ++underWay);
		const go = (): void =>
			real(...args, (...results: unknown[]) => {
				underWay--;
				done(...results);
			});
		if (held === null) go();
		else held.push(go);
	};
	Object.assign(fs, { [name]: replacement });
	syncBuiltinESMExports();
	restore = () => {
		watched.letGo();
		Object.assign(fs, { [name]: real });
		syncBuiltinESMExports();
	};
	return watched;
}

async function until(done: () => boolean): Promise<void> {
	while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A write of the log ends while all else stands still. */
async function writeBeside(id: number): Promise<void> {
	disk.submit({ id, kind: "write", path: "log", lane: 0, offset: 0, data: Uint8Array.of(1) });
	await until(() => completed.includes(id));
}

test("many reads take one of them at a time, and writes go on beside those that hang", async () => {
	const reads = hold("read");
	for (let id = 1; id <= ASKED; id++) disk.submit({ id, kind: "read", path: "log", offset: 0, bytes: 8 });
	await until(() => reads.most > 0);
	await writeBeside(100);
	expect([reads.most, completed]).toEqual([1, [100]]);
	reads.letGo();
	await until(() => completed.length === ASKED + 1);
	expect(reads.most).toBe(1);
});

test("so do files that are made with their whole size", async () => {
	const syncs = hold("fdatasync");
	for (let id = 1; id <= ASKED; id++) disk.submit({ id, kind: "create", path: `new ${id}`, bytes: 8_192 });
	await until(() => syncs.most > 0);
	await writeBeside(100);
	expect([syncs.most, completed]).toEqual([1, [100]]);
	syncs.letGo();
	await until(() => completed.length === ASKED + 1);
	expect(syncs.most).toBe(1);
});
