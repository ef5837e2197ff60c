/** `npm run profile` on a short load: both members are told of, and the shares are of something. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { haveProgram, runTool } from "../src/process/tools.ts";

const PROGRAM = fileURLToPath(new URL("../src/bench/profile.ts", import.meta.url));
const run = (...args: string[]): ReturnType<typeof runTool> =>
	runTool(process.execPath, ["--conditions=@flotilla/source", PROGRAM, ...args], { timeoutMs: 120_000 });

test.skipIf(!haveProgram("h2load"))("where a put's time goes is told for leader and follower (needs h2load)", async () => {
	const { stdout, status } = await run("8", "2", "3");
	expect(status, stdout).toBe(0);
	expect(stdout).toMatch(/^\d+ puts in 3 s, 8 streams on 2 connections$/m);
	for (const who of ["leader", "follower"]) expect(stdout).toMatch(new RegExp(`^${who}: [1-9]\\d*\\.\\d us of processor time a put$`, "m"));
	expect(stdout.match(/^ +\d+\.\d us {2}loop$/gm)).toHaveLength(2);
	expect(stdout.match(/^ +\d+\.\d % {2}writes to sockets and files/gm)).toHaveLength(2);
});

test("a wrong number is refused", async () => {
	const { status, stderr } = await run("many");
	const refusal = '--streams takes a whole number from 1 on, not "many" (npm run profile -- --help tells what may be said)';
	expect([status, stderr.trim()]).toEqual([2, refusal]);
});
