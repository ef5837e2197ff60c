/** Python's etcd3gw, which speaks the JSON gateway: keys, transactions, leases, locks and watches, on flotilla and on a real etcd alike. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { haveProgram, runTool } from "../src/process/tools.ts";

const PYTHON = "/usr/bin/python3";
const havePython = spawnSync(PYTHON, ["-c", "import etcd3gw"]).status === 0;

/** Prints what each step came to; ids, terms and what is left of times apart. */
const SCRIPT = `
import base64, json, sys, threading
from etcd3gw.client import Etcd3Client
from etcd3gw.lock import Lock

client = Etcd3Client(host="127.0.0.1", port=int(sys.argv[1]), api_path="/v3/", timeout=60)
told = []
def tell(name, value):
    told.append([name, value])
def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value
def b64(value):
    return base64.b64encode(value.encode()).decode()
def pairs(found):
    return [[text(value), text(meta["key"]), meta["mod_revision"], meta["version"]] for value, meta in found]

tell("put", client.put("a/1", "one"))
client.put("a/2", "two")
client.put("b", "\\u00fc")
tell("get", [text(value) for value in client.get("a/1")])
tell("get nothing", client.get("none"))
tell("get with what is known of it", pairs(client.get("b", metadata=True)))
tell("prefix", pairs(client.get_prefix("a/", sort_order="descend", sort_target="key")))
tell("all", len(client.get_all()))
tell("create what is there", client.create("a/1", "x"))
tell("create", client.create("c", "new"))
tell("replace another value", client.replace("c", "old", "x"))
tell("replace", client.replace("c", "new", "newer"))
tell("delete", [client.delete("c"), client.delete("c")])
tell("transaction", sorted(client.transaction({
    "compare": [{"key": b64("b"), "result": "EQUAL", "target": "VERSION", "version": 1}],
    "success": [{"request_put": {"key": b64("d"), "value": b64("then")}}, {"request_range": {"key": b64("d")}}],
    "failure": [],
}).keys()))
lease = client.lease(ttl=600)
client.put("leased", "x", lease=lease)
tell("lease", [lease.refresh(), 590 < lease.ttl() <= 600, [text(key) for key in lease.keys()]])
tell("revoked", [lease.revoke(), client.get("leased")])
one, other = Lock("lock", ttl=60, client=client), Lock("lock", ttl=60, client=client)
tell("lock", [one.acquire(), other.acquire(), one.is_acquired(), one.release(), other.acquire(), other.release()])

events, cancel = client.watch_prefix("w/")
writer = threading.Timer(0.3, lambda: [client.put("w/1", "x"), client.put("w/1", "y"), client.delete("w/1")])
writer.start()
for _ in range(3):
    event = next(events)
    told.append(["event", event.get("type", "PUT"), text(event["kv"]["key"]), text(event["kv"].get("value", b""))])
cancel()
writer.join()
tell("members", [len(client.members()), sorted(client.status().keys() & {"header", "version", "dbSize", "leader", "raftIndex", "raftTerm"})])
tell("delete all of a prefix", [client.delete_prefix("a/"), client.get_prefix("a/")])
print(json.dumps(told))
`;

describe.skipIf(!havePython || !haveProgram("etcd"))("Python's etcd3gw (needs Debian's python3-etcd3gw and etcd-server)", () => {
	let clusters: readonly ProcessCluster[] = [];
	beforeAll(async () => {
		clusters = await Promise.all([ProcessCluster.start(), ProcessCluster.start({ program: "etcd", size: 1 })]);
	});
	afterAll(() => Promise.all(clusters.map((cluster) => cluster.dispose())));

	test("every step comes to the same", async () => {
		const [mine, theirs] = await Promise.all(
			clusters.map(async ({ endpoints: [endpoint = ""] }) => {
				const { status, stdout, stderr } = await runTool(PYTHON, ["-c", SCRIPT, endpoint.slice(endpoint.indexOf(":") + 1)]);
				expect(status, stderr).toBe(0);
				return (JSON.parse(stdout) as [name: string, ...unknown[]][]).map(([name, ...rest]) =>
					// Ours has three members.
					name === "members" ? [name, (rest[0] as unknown[])[1]] : [name, ...rest],
				);
			}),
		);
		expect(mine).toEqual(theirs);
		expect(mine).toContainEqual(["get", ["one"]]);
		expect(mine).toContainEqual(["lock", [true, false, true, true, true, true]]);
		expect(mine?.filter(([name]) => name === "event")).toEqual([
			["event", "PUT", "w/1", "x"],
			["event", "PUT", "w/1", "y"],
			["event", "DELETE", "w/1", ""],
		]);
	});
});
