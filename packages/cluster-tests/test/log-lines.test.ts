/** The lines that scripts and tools wait for or count (etcd API 12.7), said by real processes when what they tell of happens. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { encodeMessage } from "../src/client/protocol.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { type LogLine, MemberProcess } from "../src/process/member-process.ts";
import { eventually } from "../src/process/wait.ts";

/** Below two of these values, above one. */
const QUOTA_BYTES = 100_000;
const VALUE = "x".repeat(60_000);

const START = [
	...["Running: ", "configuring peer listeners", "configuring client listeners", "starting an etcd server", "starting etcd server"],
	...["now serving peer/client/metrics", "published local member to cluster through raft", "ready to serve client requests"],
	"serving client traffic insecurely; this is strongly discouraged!",
];

async function linesOf({ process }: ClusterMember): Promise<readonly LogLine[]> {
	return (await readFile(process.spec.logFile, "utf8"))
		.split("\n")
		.filter((line) => line !== "")
		.map((line) => JSON.parse(line) as LogLine);
}

describe("log lines", () => {
	let cluster: ProcessCluster;
	let logs: ReadonlyArray<readonly LogLine[]>;
	beforeAll(async () => {
		const slow = ["--warning-apply-duration=1ns", "--warning-unary-request-duration=1ns"];
		cluster = await ProcessCluster.start({ flags: [...slow, `--quota-backend-bytes=${QUOTA_BYTES}`] });
		const client = new KvClient(cluster.endpoints[0] as string);
		await client.put("a", "1");
		await client.compact(2);
		await client.call("Maintenance", "Defragment", ["DefragmentRequest", "DefragmentResponse"], {});
		await handOver();
		await client.put("b", VALUE);
		await expect(client.put("c", VALUE)).rejects.toThrow("etcdserver: mvcc: database space exceeded");
		const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
		await eventually("the alarm on every member", async () => {
			const states = await Promise.all(clients.map((each) => each.status()));
			if (states.some(({ errors }) => errors.length === 0)) throw new Error("not yet");
		});
		for (const each of [client, ...clients]) each.close();
		await Promise.all(cluster.members.map(({ process }) => process.kill("SIGTERM")));
		// What a process has said may come behind its end.
		logs = await eventually("the last lines", async () => {
			const all = await Promise.all(cluster.members.map(linesOf));
			if (all.some((lines) => lines.at(-1)?.msg !== "closed etcd server")) throw new Error("not yet");
			return all;
		});
	});
	afterAll(() => cluster?.dispose());

	async function handOver(): Promise<void> {
		const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
		const [states, leader] = await eventually("a leader", async () => {
			const told = await Promise.all(clients.map((each) => each.status()));
			const found = told.findIndex(({ header, leader: id }) => header.member_id === id);
			if (found < 0) throw new Error("nobody leads");
			return [told, found] as const;
		});
		const other = states.find(({ header, leader: id }) => header.member_id !== id);
		const request = encodeMessage("etcdserverpb.MoveLeaderRequest", { targetID: other?.header.member_id });
		await (clients[leader] as KvClient).raw("/etcdserverpb.Maintenance/MoveLeader", request);
		for (const each of clients) each.close();
	}

	const saying = (msg: string): readonly LogLine[] => logs.flatMap((lines) => lines.filter((line) => line.msg === msg));

	test("each is one JSON object that begins with level, time, place and message", () => {
		for (const line of logs.flat()) {
			expect(Object.keys(line).slice(0, 4)).toEqual(["level", "ts", "caller", "msg"]);
			expect(line.ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
			expect(line.caller).toMatch(/^[a-z-]+\/[a-z-]+\.ts(:\d+)?$/);
		}
	});

	test("a start, step by step, on every member", () => {
		for (const lines of logs) {
			const places = START.map((msg) => lines.findIndex((line) => line.msg === msg));
			expect(places, START[places.indexOf(-1)]).toEqual(places.toSorted((a, b) => a - b));
			expect(places[0]).toBeGreaterThanOrEqual(0);
			expect(lines.find(({ msg }) => msg === "starting etcd server")).toMatchObject({
				"local-member-id": expect.stringMatching(/^[0-9a-f]+$/),
				"local-server-version": expect.stringMatching(/^3\.6\.\d+$/),
				"cluster-version": "to_be_decided",
			});
			expect(lines.find(({ msg }) => msg === START.at(-1))).toMatchObject({
				level: "info",
				traffic: "grpc+http",
				address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
			});
		}
	});

	test("an election: who became leader, and whom each member takes for it", () => {
		const became = logs.flat().filter(({ msg }) => /^[0-9a-f]+ became leader at term \d+$/.test(msg));
		expect(became.length).toBeGreaterThanOrEqual(2);
		for (const lines of logs)
			expect(lines.some(({ msg }) => /^raft\.node: [0-9a-f]+ elected leader [0-9a-f]+ at term \d+$/.test(msg))).toBe(true);
	});

	test("the cluster's version, on every member", () => {
		for (const lines of logs) {
			const told = lines.filter((line) => line["cluster-version"] !== undefined && line.msg !== "starting etcd server");
			expect(told.map(({ msg, "cluster-version": version }) => [msg, version])).toEqual([
				["set initial cluster version", "3.6"],
				["enabled capabilities for version", "3.6"],
				["cluster version is updated", "3.6"],
			]);
		}
	});

	test("what operators ask for, and what runs out", () => {
		const wanted: ReadonlyArray<readonly [msg: string, level: string, fields: Readonly<Record<string, unknown>>]> = [
			["finished scheduled compaction", "info", { "compact-revision": 2 }],
			["finished defragment", "info", {}],
			["leadership transfer finished", "info", {}],
			["message exceeded backend quota; raising alarm", "warn", {}],
			["alarm raised", "warn", { alarm: "NOSPACE" }],
			["apply request took too long", "warn", { took: expect.stringMatching(/^\d+ms$/), "expected-duration": expect.any(String) }],
			[
				"request stats",
				"warn",
				{ "time spent": expect.stringMatching(/^\d+ms$/), remote: expect.any(String), "request size": expect.any(Number) },
			],
		];
		for (const [msg, level, fields] of wanted)
			expect([msg, saying(msg)[0]]).toEqual([msg, expect.objectContaining({ level, msg, ...fields })]);
		// Only that member says so at whose door it was.
		expect(saying("message exceeded backend quota; raising alarm")).toHaveLength(1);
		expect(saying("alarm raised")).toHaveLength(3);
	});

	test("a start again: the cluster's version is known; one that is refused: its error, and no stack", async () => {
		const [member] = cluster.members as [ClusterMember];
		await Promise.all(cluster.members.map(({ process }) => process.start()));
		expect((await linesOf(member)).filter(({ msg }) => msg === "starting etcd server").at(-1)).toMatchObject({ "cluster-version": "3.6" });
		const second = new MemberProcess({ ...member.process.spec, name: "second", logFile: `${member.process.spec.logFile}.second` });
		second.spawn();
		expect(await second.exited()).toBe(1);
		const last = await eventually("its last line", async () => {
			const found = (await linesOf({ ...member, process: second })).at(-1);
			if (found?.level !== "fatal") throw new Error("not yet");
			return found;
		});
		expect(last).toMatchObject({
			msg: "discovery failed",
			caller: "cli/run-member.ts",
			error: expect.stringContaining("bind: address already in use"),
		});
		expect(last).not.toHaveProperty("stacktrace");
	});

	test("the end", () => {
		for (const lines of logs) {
			const last = lines.map(({ msg }) => msg);
			expect(last.at(-1)).toBe("closed etcd server");
			expect(last.lastIndexOf("closing etcd server")).toBeGreaterThan(last.lastIndexOf("received signal; shutting down"));
		}
	});
});
