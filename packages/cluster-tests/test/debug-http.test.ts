/** /debug/vars beside etcd's, and the profiles of a member that serves them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { haveProgram } from "../src/process/tools.ts";

interface Vars {
	readonly cmdline: readonly string[];
	readonly file_descriptor_limit: number;
	readonly memstats: Readonly<Record<string, number>>;
	readonly "raft.status": {
		readonly id: string;
		readonly term: number;
		readonly lead: string;
		readonly raftState: string;
		readonly progress: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
	};
}

async function varsOf(cluster: ProcessCluster, at: number): Promise<{ vars: Vars; text: string; type: string | null }> {
	const response = await fetch(`${cluster.member(at).clientUrl}/debug/vars`);
	expect(response.status).toBe(200);
	const text = await response.text();
	return { vars: JSON.parse(text) as Vars, text, type: response.headers.get("content-type") };
}

/** The sorts of all fields, by path. Lists and the ids of members stand for all of their kind. */
function shape(value: unknown): unknown {
	if (Array.isArray(value)) return "list";
	if (typeof value !== "object" || value === null) return typeof value;
	return Object.fromEntries(Object.entries(value).map(([name, inner]) => [/^[0-9a-f]{8,16}$/.test(name) ? "<id>" : name, shape(inner)]));
}

describe.skipIf(!haveProgram("etcd"))("/debug/vars beside etcd's (needs Debian's etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;
	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start({ size: 3 }), ProcessCluster.start({ size: 3, program: "etcd" })]);
	});
	afterAll(async () => {
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	test("the same fields of the same sorts, at the leader and at followers; of memory those that mean something", async () => {
		const states = new Set<string>();
		for (let at = 0; at < 3; at++) {
			const [mine, reference] = await Promise.all([varsOf(ours, at), varsOf(theirs, at)]);
			expect(mine.type).toBe(reference.type);
			expect(mine.text.match(/^"[^"]+": /gm)).toEqual(reference.text.match(/^"[^"]+": /gm));
			const { progress: ourProgress, ...ourStatus } = mine.vars["raft.status"];
			const { progress: theirProgress, ...theirStatus } = reference.vars["raft.status"];
			expect(shape(ourStatus)).toEqual(shape(theirStatus));
			const progress = [...Object.values(ourProgress), ...Object.values(theirProgress)];
			expect(new Set(progress.map((each) => JSON.stringify(shape(each)))).size).toBeLessThanOrEqual(1);
			if (ourStatus.raftState === "StateLeader") {
				expect(Object.keys(ourProgress)).toHaveLength(3);
				expect(ourStatus.lead).toBe(ourStatus.id);
			} else expect(ourProgress).toEqual({});
			states.add(ourStatus.raftState);
			expect(mine.vars.file_descriptor_limit).toBe(reference.vars.file_descriptor_limit);
			for (const [name, value] of Object.entries(mine.vars.memstats)) {
				expect(reference.vars.memstats).toHaveProperty(name);
				expect(value, name).toBeGreaterThan(0);
			}
			expect(mine.vars.cmdline.slice(0, 3)).toEqual(["flotilla", "--name", `m${at + 1}`]);
		}
		expect(states).toEqual(new Set(["StateLeader", "StateFollower"]));
	});

	test("by no other method; and no profiles without the flag", async () => {
		for (const cluster of [ours, theirs]) {
			const { clientUrl } = cluster.member(0);
			expect((await fetch(`${clientUrl}/debug/vars`, { method: "POST" })).status).toBe(405);
			for (const path of ["/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1"]) {
				expect((await fetch(clientUrl + path)).status).toBe(404);
			}
		}
	});
});

interface CpuProfile {
	readonly nodes: ReadonlyArray<{ readonly callFrame: { readonly functionName: string; readonly url: string } }>;
	readonly samples: readonly number[];
	readonly startTime: number;
	readonly endTime: number;
}

describe("a member with --enable-pprof", () => {
	let cluster: ProcessCluster;
	let url: string;
	beforeAll(async () => {
		const secret = ["--cors=http://somebody:secret-canary@a.example"];
		cluster = await ProcessCluster.start({ size: 1, flags: ["--enable-pprof", ...secret] });
		url = `${cluster.member(0).clientUrl}/debug/pprof`;
	});
	afterAll(async () => {
		await cluster?.dispose();
	});

	const put = async (value: string): Promise<void> => {
		const body = JSON.stringify({ key: "a2V5", value: Buffer.from(value).toString("base64") });
		expect((await fetch(url.replace("/debug/pprof", "/v3/kv/put"), { method: "POST", body })).status).toBe(200);
	};

	test("the CPU's time, for as long as asked, while it serves; one at a time; and where memory was allocated: no value is in them", async () => {
		const profile = fetch(`${url}/profile?seconds=2`).then(async (response) => ({ response, text: await response.text() }));
		await expect
			.poll(async () => {
				const second = await fetch(`${url}/profile?seconds=0.01`);
				return [second.status, await second.text()];
			})
			.toEqual([500, "Could not enable CPU profiling: cpu profiling already in use\n"]);
		for (let at = 0; at < 50; at++) await put(`value-canary ${at}`);
		const { response, text } = await profile;
		expect(response.headers.get("content-disposition")).toBe('attachment; filename="profile.cpuprofile"');
		const { nodes, samples, startTime, endTime } = JSON.parse(text) as CpuProfile;
		expect(endTime - startTime).toBeGreaterThan(1_900_000);
		expect(samples.length).toBeGreaterThan(10);
		expect(nodes.some(({ callFrame }) => callFrame.url.includes("/server/"))).toBe(true);
		const heap = await fetch(`${url}/heap`);
		const sites = await heap.text();
		expect(JSON.parse(sites)).toMatchObject({ head: { children: expect.any(Array) }, samples: expect.any(Array) });
		for (const said of [text, sites]) expect(said).not.toContain("canary");
	});

	test("whoever leaves gives the place to the next", async () => {
		const abort = new AbortController();
		const left = fetch(`${url}/profile?seconds=300`, { signal: abort.signal });
		await expect.poll(async () => (await fetch(`${url}/profile?seconds=0.01`)).status).toBe(500);
		abort.abort();
		await expect(left).rejects.toThrow();
		await expect.poll(async () => (await fetch(`${url}/profile?seconds=0.01`)).status).toBe(200);
	});

	test("words about wrong questions, the command line without its secrets, and no snapshot of the heap", async () => {
		const answer = async (path: string): Promise<[number, string]> => {
			const response = await fetch(`${url}${path}`, { redirect: "manual" });
			return [response.status, await response.text()];
		};
		for (const seconds of ["0", "-1", "x", "301"]) expect((await answer(`/profile?seconds=${seconds}`))[0]).toBe(400);
		expect(await answer("/goroutine")).toEqual([404, "Unknown profile\n"]);
		expect(await answer("/snapshot")).toEqual([404, "Unknown profile\n"]);
		expect((await answer(""))[0]).toBe(301);
		expect((await answer("/"))[1]).toContain("profile?seconds=30");
		const [, line] = await answer("/cmdline");
		expect(line).toContain("--enable-pprof");
		expect(line).toContain("--cors=http://***@a.example");
		const vars = await (await fetch(url.replace("pprof", "vars"))).text();
		expect(vars).toContain("--cors=http://***@a.example");
		expect(vars + line).not.toContain("canary");
	});

	test("a profile under way does not hold up a stop", async () => {
		const profile = fetch(`${url}/profile?seconds=300`).then((response) => response.json());
		await expect.poll(async () => (await fetch(`${url}/profile?seconds=0.01`)).status).toBe(500);
		await cluster.member(0).process.kill("SIGTERM");
		expect(await profile).toHaveProperty("samples");
	});
});
