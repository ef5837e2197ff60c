/** Watches through other clients: the JSON gateway beside etcd's, npm `etcd3`, Python's etcd3; and what happens to them when members die. */
import { spawnSync } from "node:child_process";
import { Etcd3, type IKeyValue } from "etcd3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { type RunningTool, runningEtcdctl } from "../src/process/running-tool.ts";
import { haveProgram, runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const havePython = spawnSync("/usr/bin/python3", ["-c", "import etcd3"]).status === 0;

let ours: ProcessCluster;
beforeAll(async () => {
	ours = await ProcessCluster.start();
});
afterAll(() => ours?.dispose());

function clientOf(cluster: ProcessCluster, at = 0): KvClient {
	return new KvClient(cluster.endpoints[at] as string);
}

describe.skipIf(!haveProgram("etcd"))("the JSON gateway beside etcd's (needs Debian's etcd-server)", () => {
	let theirs: ProcessCluster;
	let mine: ProcessCluster;
	beforeAll(async () => {
		[mine, theirs] = await Promise.all([ProcessCluster.start({ size: 1 }), ProcessCluster.start({ size: 1, program: "etcd" })]);
		for (const cluster of [mine, theirs]) {
			const client = clientOf(cluster);
			for (const value of ["1", "2", "3"]) await client.put("g", value);
			await client.deleteRange("g");
			await client.compact(3);
			client.close();
		}
	});
	afterAll(async () => {
		await Promise.all([mine?.dispose(), theirs?.dispose()]);
	});

	/** The first lines of an answer that goes on. */
	async function lines(cluster: ProcessCluster, body: string, count: number, between?: () => Promise<unknown>): Promise<unknown[]> {
		const stop = new AbortController();
		const response = await fetch(`${cluster.member(0).clientUrl}/v3/watch`, { method: "POST", body, signal: stop.signal });
		const found: string[] = [];
		let rest = "";
		const decoder = new TextDecoder();
		try {
			for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
				const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
				rest = parts.pop() ?? "";
				const first = found.length === 0 && parts.length > 0;
				found.push(...parts);
				if (first) await between?.();
				if (found.length >= count) break;
			}
		} finally {
			stop.abort();
		}
		expect(response.status).toBe(200);
		return found.map((line): unknown => JSON.parse(normaliseOutput(line)));
	}

	test.each<[string, object[], number]>([
		["the past", [{ create_request: { key: base64("g"), start_revision: "3", prev_kv: true } }], 2],
		["a compacted revision", [{ create_request: { key: base64("g"), start_revision: 1 } }], 2],
		["a duplicate id", [{ create_request: { key: base64("g"), watch_id: 7 } }, { createRequest: { key: base64("g"), watchId: "7" } }], 2],
		["an empty range", [{ create_request: { key: base64("b"), range_end: base64("a") } }], 1],
		["a cancel", [{ create_request: { key: base64("g") } }, { cancel_request: { watch_id: "0" } }], 2],
		["filters by name", [{ create_request: { key: base64("g"), start_revision: 3, filters: ["NOPUT"] } }], 2],
	])("%s", async (_name, requests, count) => {
		const body = requests.map((request) => JSON.stringify(request)).join("");
		const [got, wanted] = await Promise.all([lines(mine, body, count), lines(theirs, body, count)]);
		expect(got).toEqual(wanted);
	});

	test("what comes while the answer is under way", async () => {
		const body = JSON.stringify({ create_request: { key: base64("live") } });
		const [got, wanted] = await Promise.all(
			[mine, theirs].map((cluster) =>
				lines(cluster, body, 2, async () => {
					const client = clientOf(cluster);
					await client.put("live", "now");
					client.close();
				}),
			),
		);
		expect(got).toEqual(wanted);
	});
});

describe("npm etcd3", () => {
	let client: Etcd3;
	beforeAll(() => {
		client = new Etcd3({ hosts: ours.members.map((member) => member.clientUrl) });
	});
	afterAll(() => client?.close());

	test("puts and deletes of a prefix, with what was before, until it is canceled", async () => {
		const watcher = await client.watch().prefix("npm/").withPreviousKV().create();
		const heard: string[] = [];
		const name = (kv: IKeyValue): string => `${kv.key.toString()}=${kv.value.toString()}`;
		watcher.on("put", (kv, before) => heard.push(`${name(kv)}${before == null ? "" : ` was ${before.value.toString()}`}`));
		watcher.on("delete", (kv, before) => heard.push(`-${kv.key.toString()} was ${before?.value.toString()}`));
		await client.put("npm/a").value("1");
		await client.put("npm/a").value("2");
		await client.put("elsewhere").value("x");
		await client.delete().key("npm/a");
		await eventually("all was heard", async () => expect(heard).toEqual(["npm/a=1", "npm/a=2 was 1", "-npm/a was 2"]));
		await watcher.cancel();
		await client.put("npm/a").value("3");
		// Heard from the start: created and its events may arrive in one piece.
		const second = client.watch().key("npm/a").startRevision("1").watcher();
		const past: string[] = [];
		second.on("put", (kv) => past.push(kv.value.toString()));
		await eventually("the past was heard", async () => expect(past).toEqual(["1", "2", "3"]));
		expect(heard).toHaveLength(3);
	});

	test("a watcher from a compacted revision hears of it", async () => {
		// One member: another one may not have compacted yet, and would tell the past. And heard from the start: created and canceled may
		// arrive in one piece, when whoever awaits the first of them is too late for the second.
		const alone = new Etcd3({ hosts: ours.member(0).clientUrl });
		try {
			const { header } = await alone.put("npm/c").value("1");
			await alone.put("npm/c").value("2");
			const kv = clientOf(ours);
			await kv.compact(Number(header.revision) + 1);
			kv.close();
			const watcher = alone.watch().key("npm/c").startRevision("1").watcher();
			const failure = await new Promise<Error>((resolve) => void watcher.once("error", resolve));
			// The library drops the compact revision; etcd gives no reason besides.
			expect(failure.message).toBe("Watcher canceled: ");
		} finally {
			alone.close();
		}
	});
});

const PYTHON = `
import etcd3, sys, json
client = etcd3.client(host="127.0.0.1", port=int(sys.argv[1]))
events, cancel = client.watch_prefix("py/", prev_kv=True)
heard = []
client.put("py/a", "1")
client.put("py/a", "2")
client.transaction(compare=[], success=[client.transactions.put("py/b", "x"), client.transactions.put("py/c", "y")], failure=[])
client.delete("py/a")
for event in events:
    previous = event._event.prev_kv.value.decode() if event._event.HasField("prev_kv") else None
    heard.append([type(event).__name__, event.key.decode(), event.value.decode(), previous])
    if len(heard) == 5:
        break
cancel()
first = client.get("py/b")[1].mod_revision
past, cancel = client.watch("py/a", start_revision=2)
replayed = []
for event in past:
    replayed.append([type(event).__name__, event.value.decode()])
    if len(replayed) == 3:
        break
cancel()
once = client.get("py/c")[1].version
print(json.dumps({"heard": heard, "replayed": replayed, "version": once}))
`;

describe.skipIf(!havePython)("Python's etcd3 (needs Debian's python3-etcd3)", () => {
	test("a prefix live, a key from the past", async () => {
		// The shared cluster was compacted; this one has its whole past.
		const cluster = await ProcessCluster.start({ size: 1 });
		try {
			const port = (cluster.endpoints[0] as string).split(":")[1] as string;
			const { status, stdout, stderr } = await runTool("/usr/bin/python3", ["-c", PYTHON, port]);
			expect(status, stderr).toBe(0);
			expect(JSON.parse(stdout)).toEqual({
				heard: [
					["PutEvent", "py/a", "1", null],
					["PutEvent", "py/a", "2", "1"],
					["PutEvent", "py/b", "x", null],
					["PutEvent", "py/c", "y", null],
					["DeleteEvent", "py/a", "", "2"],
				],
				replayed: [
					["PutEvent", "1"],
					["PutEvent", "2"],
					["DeleteEvent", ""],
				],
				version: 1,
			});
		} finally {
			await cluster.dispose();
		}
	});
});

describe.skipIf(!haveProgram("etcdctl"))("members that die (needs Debian's etcd-client)", () => {
	test("a watch over all members lacks nothing and repeats nothing while each of them is killed in turn", async () => {
		const cluster = await ProcessCluster.start();
		let tool: RunningTool | null = null;
		try {
			tool = runningEtcdctl(cluster.endpoints, ["watch", "k", "--prefix", "--rev=1"]);
			const writer = writeOn(cluster);
			const { acknowledged } = writer;
			for (const member of cluster.members) {
				const before = acknowledged.length;
				await eventually("writes go on", async () => expect(acknowledged.length).toBeGreaterThan(before + 5));
				await member.process.kill();
				await eventually("writes go on without it", async () => expect(acknowledged.length).toBeGreaterThan(before + 10));
				await member.process.start();
			}
			await writer.stop();
			const last = acknowledged.at(-1) as string;
			await eventually("the last write is heard", async () => expect(tool?.stdout, tool?.stderr.slice(-2_000)).toContain(`\n${last}\n`));
			const heard = [...tool.stdout.matchAll(/PUT\nk\n(.*)\n/g)].map((match) => match[1] as string);
			expect(heard, "nothing twice").toEqual([...new Set(heard)]);
			expect(acknowledged.filter((value) => !heard.includes(value))).toEqual([]);
			expect(heard.map(Number)).toEqual(heard.map(Number).sort((a, b) => a - b));
		} finally {
			await tool?.end();
			await cluster.dispose();
		}
	});
});

/** Writes rising numbers to one key, one after another, through whichever member answers. */
function writeOn(cluster: ProcessCluster): { stop(): Promise<void>; acknowledged: string[] } {
	const clients = cluster.members.map((_, at) => clientOf(cluster, at));
	const acknowledged: string[] = [];
	let running = true;
	const loop = async (): Promise<void> => {
		for (let value = 1; running; value++) {
			const client = clients[value % clients.length] as KvClient;
			await client.put("k", String(value), { timeoutMs: 2_000 }).then(
				() => acknowledged.push(String(value)),
				() => {},
			);
		}
		for (const client of clients) client.close();
	};
	const done = loop();
	return {
		acknowledged,
		async stop() {
			running = false;
			await done;
		},
	};
}
