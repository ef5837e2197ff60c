import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { planLocalCluster, rememberServed } from "./local-plan.ts";
import type { PortRow } from "./local-ports.ts";

const ANY: readonly PortRow[] = ["m1", "m2", "m3"].map((name) => ({ name, clientPort: 0, peerPort: 0 }));
let parent: string;
let folder: string;

beforeEach(async () => {
	parent = await mkdtemp(join(tmpdir(), "flotilla-plan-"));
	folder = join(parent, "data");
});
afterEach(async () => rm(parent, { recursive: true, force: true }));

async function planned(wanted = ANY, byUser = false) {
	const plan = await planLocalCluster(folder, wanted, byUser);
	if (!plan.ok) throw new Error(plan.reason);
	return plan.value;
}

async function reasonOf(wanted = ANY, byUser = false): Promise<string> {
	const plan = await planLocalCluster(folder, wanted, byUser);
	if (plan.ok) throw new Error("it was not refused");
	return plan.reason;
}

async function occupy<T>(work: (port: number) => Promise<T>, port = 0): Promise<T> {
	const server = createServer();
	await new Promise<void>((listening) => server.listen(port, "127.0.0.1", () => listening()));
	try {
		return await work((server.address() as { port: number }).port);
	} finally {
		await new Promise((closed) => server.close(closed));
	}
}

test("a new cluster gets six different ports, and the next start the same ones", async () => {
	const first = await planned();
	expect(first.fresh).toBe(true);
	expect(new Set(first.members.flatMap(({ clientPort, peerPort }) => [clientPort, peerPort])).size).toBe(6);
	const second = await planned();
	expect(second).toEqual({ members: first.members, moved: [], fresh: false });
});

test("a port that is taken at the first start is replaced, and it is said which", async () => {
	await occupy(async (port) => {
		const { members, moved } = await planned(ANY.map((row, at) => (at === 1 ? { ...row, clientPort: port } : row)));
		const used = members[1]?.clientPort;
		expect(used).not.toBe(port);
		expect(moved).toEqual([{ member: "m2", wanted: port, used }]);
	});
});

test("a port that is taken later is named, and nothing is changed", async () => {
	const { members } = await planned();
	const before = await readFile(join(folder, "cluster.json"), "utf8");
	const port = members[2]?.peerPort as number;
	await occupy(async () => {
		expect(await reasonOf()).toMatch(new RegExp(`^port ${port} of m3 is taken, .*keeps its ports`));
	}, port);
	expect(await readFile(join(folder, "cluster.json"), "utf8")).toBe(before);
});

test("ports that a user asks for must be those of the cluster; any port will do", async () => {
	const { members } = await planned();
	const other = members.map((row, at) => (at === 0 ? { ...row, peerPort: 1 } : row));
	expect(await reasonOf(other, true)).toContain(`was made with port ${members[0]?.peerPort} for m1, not 1`);
	expect((await planned(members, true)).members).toEqual(members);
	expect((await planned(ANY, true)).members).toEqual(members);
	expect((await planned(other, false)).members).toEqual(members);
});

test("a folder of something else is not touched", async () => {
	await mkdir(join(folder, "member", "snap"), { recursive: true });
	expect(await reasonOf()).toMatch(/holds "member" but no cluster\.json: it was not made by this program/);
	await rm(folder, { recursive: true });
	await writeFile(folder, "a file");
	expect(await reasonOf()).toBe(`${folder} is not a folder`);
});

for (const [name, text, reason] of [
	["broken", "{", /cannot be understood/],
	["of something else", "[]", /cannot be understood/],
	["null", "null", /cannot be understood/],
	["with a name that leads elsewhere", '{"format":1,"members":[{"name":"../x","clientPort":1,"peerPort":2}]}', /cannot be understood/],
	["without ports", '{"format":1,"members":[{"name":"m1","clientPort":70000,"peerPort":2}]}', /cannot be understood/],
	["of a later version", '{"format":2,"ships":[]}', /has format 2, this version reads format 1\. Use the version that made it/],
] as const) {
	test(`a cluster.json is refused: ${name}`, async () => {
		await mkdir(folder);
		await writeFile(join(folder, "cluster.json"), text);
		expect(await reasonOf()).toMatch(reason);
		expect(await readFile(join(folder, "cluster.json"), "utf8")).toBe(text);
	});
}

test("a member whose data is gone is not started again once the cluster has served", async () => {
	const { members } = await planned();
	await mkdir(join(folder, "m1", "member"), { recursive: true });
	await mkdir(join(folder, "m3", "member"), { recursive: true });
	// Nothing was promised yet: a first start that was interrupted is simply repeated.
	expect((await planned()).members).toEqual(members);
	await rememberServed(folder, members);
	expect(await reasonOf()).toMatch(/^the data of m2 is gone .*Restore it, or remove/);
	await mkdir(join(folder, "m2", "member"), { recursive: true });
	expect((await planned()).members).toEqual(members);
});
