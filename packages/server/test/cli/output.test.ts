/** What the commands do when standard output takes nothing, takes a part, or when nobody reads it any more. */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { lstat, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../../src/free-ports.ts";
import { FLOTILLA, Program, run } from "./program.ts";

const MINUTE = 60_000;
const FULL = "/dev/full";

interface Ended {
	readonly end: number | null;
	readonly stderr: string;
}

/** Not through a pipe, as `Program` has it. */
function ended(args: readonly string[], stdout: number): Promise<Ended> {
	const env = { PATH: process.env.PATH, HOME: process.env.HOME };
	const child = spawn(FLOTILLA, args, { stdio: ["ignore", stdout, "pipe"], env });
	let stderr = "";
	child.stderr?.setEncoding("utf8").on("data", (text: string) => {
		stderr += text;
	});
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (end) => resolve({ end, stderr }));
	});
}

async function intoFull(...args: string[]): Promise<Ended> {
	const full = openSync(FULL, constants.O_WRONLY);
	try {
		return await ended(args, full);
	} finally {
		closeSync(full);
	}
}

const LOST = /^Error: standard output cannot be written: ENOSPC: no space left on device\n$/;

describe.skipIf(process.platform !== "linux")("standard output", () => {
	let folder = "";
	let dataDir = "";
	let saved = "";
	let clientPort = 0;
	let member: Program;

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-output-"));
		[dataDir, saved] = [join(folder, "data"), join(folder, "saved")];
		const [client, peer] = (await freePorts(2)) as [number, number];
		clientPort = client;
		const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
		member = new Program(FLOTILLA, [
			...[`--data-dir=${dataDir}`, `--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`],
			...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`, `--initial-cluster=default=${peerUrl}`],
		]);
		await member.said(/ready to serve client requests/);
		const save = await run(["snapshot", "save", "--endpoints", `127.0.0.1:${clientPort}`, saved]);
		expect(save).toMatchObject({ end: 0, stderr: "" });
	}, 2 * MINUTE);
	afterAll(async () => {
		await member?.[Symbol.asyncDispose]();
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	});

	test.each([
		["--version"],
		["migrate --help"],
		["start-local --help"],
		["log dump DATA"],
		["log dump --words DATA"],
		["snapshot status SAVED"],
		["snapshot status -w json SAVED"],
		["snapshot save --endpoints MEMBER AGAIN"],
		["doctor --endpoints MEMBER"],
		["doctor --json --endpoints MEMBER"],
	])(
		"%s > /dev/full: one sentence and status 1",
		async (line) => {
			const words: Readonly<Record<string, string>> = {
				...{ DATA: dataDir, SAVED: saved, AGAIN: join(folder, "again"), MEMBER: `127.0.0.1:${clientPort}` },
			};
			const args = line.split(" ").map((word) => words[word] ?? word);
			expect(await intoFull(...args)).toEqual({ end: 1, stderr: expect.stringMatching(LOST) });
		},
		2 * MINUTE,
	);

	test.each([
		["bench --help", 1, "flotilla bench: "],
		["bench compare --rows list", 1, "flotilla bench: "],
		["bench put --endpoints MEMBER --seconds 1 --clients 1", 1, "flotilla bench: "],
		["chaos --help", 4, ""],
		["chaos --list", 4, ""],
	])(
		"%s > /dev/full: one sentence and status %d",
		async (line, status, name) => {
			const args = line.split(" ").map((word) => (word === "MEMBER" ? `127.0.0.1:${clientPort}` : word));
			const { end, stderr } = await intoFull(...args);
			const last = stderr.trimEnd().split("\n").at(-1);
			expect([end, last]).toEqual([status, `${name}standard output cannot be written: ENOSPC: no space left on device`]);
			expect(stderr).not.toContain("    at ");
		},
		2 * MINUTE,
	);

	test.each(["bench --help", "bench compare --rows list", "chaos --help", "chaos --list"])("%s | true: no word, status 0", async (line) => {
		const program = new Program("/bin/bash", ["-c", `"$0" ${line} | true; exit $PIPESTATUS`, FLOTILLA]);
		expect(await program.ended).toMatchObject({ end: 0, stderr: "" });
	});

	test("--help > /dev/full: its other half, one sentence and status 1", async () => {
		const { end, stderr } = await intoFull("--help");
		expect([end, stderr.split("\n").at(-2)]).toEqual([1, expect.stringMatching(/^Error: standard output cannot be written: ENOSPC/)]);
		expect(stderr).not.toContain("    at ");
	});

	test("a migration that cannot say how far it is gives up", async () => {
		const nobody = "127.0.0.1:1";
		const { end, stderr } = await intoFull("migrate", "--once", "--from", nobody, "--to", nobody);
		expect([end, stderr]).toEqual([1, expect.stringMatching(LOST)]);
	});

	test("a file that takes a part of it: the rest is missed, not given up in silence", async () => {
		const part = join(folder, "part");
		// Of 512 bytes each: the first write is short, and only the next one fails.
		const shell = `ulimit -f 8; exec "$0" help > "$1"`;
		const limited = new Program("/bin/sh", ["-c", shell, FLOTILLA, part], { environment: { NODE_COMPILE_CACHE: join(folder, "cache") } });
		const { end, stderr } = await limited.ended;
		expect([end, stderr.split("\n").at(-2)]).toEqual([1, "Error: standard output cannot be written: EFBIG: file too large"]);
		expect((await readFile(part)).length).toBe(4_096);
	});

	test.each([
		[["--version"], 0],
		[["log", "dump", "DATA"], 0],
		[["snapshot", "status", "SAVED"], 0],
		[["doctor", "--endpoints", "127.0.0.1:1"], 1],
	] as const)(
		"%j into a pipe that nobody reads: not a word, and the usual status",
		async (words, status) => {
			const args = words.map((word) => (word === "DATA" ? dataDir : word === "SAVED" ? saved : word));
			const script = `{ "$0" "$@"; echo "status $?" >&2; } | true`;
			const { stderr } = await new Program("/bin/sh", ["-c", script, FLOTILLA, ...args]).ended;
			expect(stderr).toBe(`status ${status}\n`);
		},
		2 * MINUTE,
	);

	test("a snapshot is saved where a link leads; the link stays", async () => {
		const [kept, link] = [join(folder, "kept"), join(folder, "link")];
		await writeFile(kept, "old");
		await symlink(kept, link);
		expect(await run(["snapshot", "save", "--endpoints", `127.0.0.1:${clientPort}`, link])).toMatchObject({ end: 0, stderr: "" });
		expect((await lstat(link)).isSymbolicLink()).toBe(true);
		expect(await run(["snapshot", "status", kept])).toMatchObject({ end: 0, stderr: "" });
	});

	test.each([
		[["migrate", "--from", "127.0.0.1", "--to", "127.0.0.1:1"], "--from 127.0.0.1: need HOST:PORT"],
		[["migrate", "--from", "127.0.0.1:1", "--to", "foo bar"], "--to foo bar: need HOST:PORT"],
		[["doctor", "--endpoints", "127.0.0.1"], "--endpoints 127.0.0.1: need HOST:PORT"],
		[["snapshot", "save", "--endpoints", "foo bar", "x"], "--endpoints foo bar: need HOST:PORT"],
	] as const)("%j is a wrong call", async (args, problem) => {
		const { end, stdout, stderr } = await run(args);
		expect({ end, stdout }).toEqual({ end: 2, stdout: "" });
		expect(stderr).toMatch(new RegExp(`^${problem}\n\nUsage: `));
	});
});
