/** Compiled code is kept by a member that is killed, so that its next start is a short one. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePorts } from "../../src/free-ports.ts";
import { FLOTILLA, Program } from "./program.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-compile-cache-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Files of compiled code, one a module, once the member serves and was killed. */
async function filesBehindAKill(): Promise<number> {
	const [client, peer] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`) as [string, string];
	const args = [
		...["--name=solo", `--data-dir=${join(folder, "data")}`, `--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
		...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=solo=${peer}`],
	];
	const cache = join(folder, "cache");
	await using member = new Program(FLOTILLA, args, { environment: { NODE_COMPILE_CACHE: cache } });
	await member.said(/ready to serve client requests/);
	member.signal("SIGKILL");
	expect((await member.ended).end).toBe("SIGKILL");
	return (await readdir(cache, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
}

test("a member that was killed leaves the compiled code of what it had loaded", async () => {
	expect(await filesBehindAKill()).toBeGreaterThan(200);
});
