/** Leases on real processes: beside etcd by etcdctl and by the gateway, by the clients of npm and of Python, under kill -9, and many at once. */
import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TapRecorder } from "../src/failover/tap-recorder.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { etcdctl, haveProgram, runTool } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const haveTools = haveProgram("etcdctl") && haveProgram("etcd");
/** The one that Debian's packages belong to. */
const PYTHON = "/usr/bin/python3";

/** `{lease}`: the id that the last grant of the same cluster has printed. */
const STEPS = [
	"lease list",
	"lease grant 300",
	"lease timetolive {lease}",
	"put leased v --lease={lease}",
	"put other v --lease={lease}",
	"get leased -w json",
	"lease timetolive {lease} --keys",
	"lease timetolive {lease} --keys -w json",
	"lease keep-alive --once {lease}",
	"lease keep-alive --once {lease} -w json",
	"lease list",
	"lease list -w json",
	"put other w",
	"lease timetolive {lease} --keys",
	"lease revoke {lease}",
	"get '' --prefix -w json",
	"lease revoke {lease}",
	"lease revoke 0",
	"lease timetolive {lease}",
	"lease timetolive {lease} -w json",
	"lease keep-alive {lease}",
	"put leased v --lease={lease}",
	"lease grant 0 -w json",
	"lease grant 1 -w json",
	"lease grant -- -5",
	"lease grant 9000000001",
	"lease grant 9000000000 -w json",
	"lease grant x",
	"lease timetolive zz",
	"lease revoke {lease} -w json",
];

/** Path, body, and fields of the answer that time moves. */
const CALLS: ReadonlyArray<readonly [path: string, body: unknown, timed?: string]> = [
	["/v3/lease/grant", { ID: "7001", TTL: "300" }],
	["/v3/lease/grant", { ID: "7001", TTL: "300" }],
	["/v3/lease/grant", { ID: "-7", TTL: "300" }],
	// Too short to be asked for again.
	["/v3/lease/grant", { ID: "7003", TTL: "-3" }],
	["/v3/lease/grant", { ID: "7002", TTL: "9000000001" }],
	["/v3/kv/put", { key: base64("k1"), value: base64("v"), lease: "7001" }],
	["/v3/kv/put", { key: base64("k2"), value: base64("v"), lease: "-7" }],
	["/v3/kv/put", { key: base64("k3"), value: base64("v"), lease: "404" }],
	["/v3/kv/range", { key: base64("k"), range_end: base64("l") }],
	[
		"/v3/kv/txn",
		{ success: [{ request_put: { key: base64("k4"), lease: "7001" } }, { request_put: { key: base64("k5"), lease: "405" } }] },
	],
	["/v3/lease/timetolive", { ID: "7001", keys: true }, "TTL"],
	["/v3/kv/lease/timetolive", { ID: "-7" }, "TTL"],
	["/v3/kv/lease/timetolive", { ID: "404", keys: true }],
	["/v3/lease/keepalive", { ID: "7001" }],
	["/v3/lease/keepalive", { ID: "404" }],
	["/v3/lease/leases", {}],
	["/v3/kv/lease/revoke", { ID: "-7" }],
	["/v3/lease/revoke", { ID: "404" }],
	["/v3/lease/revoke", {}],
	["/v3/kv/lease/leases", {}],
	["/v3/kv/range", { key: base64("k"), range_end: base64("l") }],
	["/v3/lock/lock", { name: base64("lock"), lease: "7001" }],
	["/v3/lock/lock", { name: base64("lock"), lease: "7001" }],
	["/v3/lock/lock", { name: base64("lock"), lease: "404" }],
	["/v3/lock/lock", { lease: "7001" }],
	["/v3/lock/unlock", { key: base64("lock/1b59") }],
	["/v3/lock/unlock", { key: base64("lock/1b59") }],
	["/v3/lock/unlock", {}],
	["/v3/election/leader", { name: base64("poll") }],
	["/v3/election/campaign", { name: base64("poll"), lease: "7001", value: base64("first") }],
	["/v3/election/campaign", { name: base64("poll"), lease: "7001", value: base64("second") }],
	["/v3/election/leader", { name: base64("poll") }],
	["/v3/election/proclaim", { value: base64("x") }],
	["/v3/election/proclaim", { leader: { name: base64("poll"), key: base64("poll/1b59"), rev: "1", lease: "7001" }, value: base64("x") }],
	["/v3/election/resign", {}],
	["/v3/election/resign", { leader: { name: base64("poll"), key: base64("poll/1b59"), rev: "1", lease: "7001" } }],
	["/v3/election/leader", { name: base64("poll") }],
	["/v3/lease/revoke", { ID: "7001" }],
	["/v3/election/leader", { name: base64("poll") }],
];

/** Reached only by a call that is never answered, on a machine as busy as may be. */
const CALL_MS = 120_000;
/** Of leases that are to outlive their test, and of those that must not: whoever renews them may be late by some seconds. */
const LONG_SECONDS = 900;
const SHORT_SECONDS = 8;

/** Leases of the calls that live longer than the test. */
const LASTING: ReadonlySet<string> = new Set(["7001", "-7"]);

function idsOf(leases: ReadonlyArray<{ readonly ID: string }>): string[] {
	return leases.map(({ ID }) => ID).sort();
}

async function post(cluster: ProcessCluster, at: number, path: string, body: unknown): Promise<{ status: number; text: string }> {
	const url = `${cluster.member(at % cluster.members.length).clientUrl}${path}`;
	const response = await fetch(url, { method: "POST", body: JSON.stringify(body), signal: AbortSignal.timeout(CALL_MS) });
	return { status: response.status, text: await response.text() };
}

async function answerOf<T>(cluster: ProcessCluster, at: number, path: string, body: unknown): Promise<T> {
	const { status, text } = await post(cluster, at, path, body);
	if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
	return JSON.parse(text) as T;
}

/** Its place among the members. */
function leaderOf(cluster: ProcessCluster): Promise<number> {
	type Status = { readonly header: { readonly member_id: string }; readonly leader: string };
	return eventually("a leader", async () => {
		const states = await Promise.all(cluster.members.map((_, at) => answerOf<Status>(cluster, at, "/v3/maintenance/status", {})));
		const found = states.findIndex(({ header, leader }) => header.member_id === leader);
		if (found < 0) throw new Error("nobody leads");
		return found;
	});
}

async function renew(cluster: ProcessCluster, at: number, ID: number): Promise<number> {
	const { result } = await answerOf<{ result: { TTL?: string } }>(cluster, at, "/v3/lease/keepalive", { ID });
	return Number(result.TTL ?? 0);
}

async function countOf(cluster: ProcessCluster, at: number, prefix: string): Promise<number> {
	const range_end = base64(prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1));
	const { count } = await answerOf<{ count?: string }>(cluster, at, "/v3/kv/range", { key: base64(prefix), range_end, count_only: true });
	return Number(count ?? 0);
}

function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
	return eventually(what, async () => {
		if (!(await holds())) throw new Error("not yet");
	});
}

describe.skipIf(!haveTools)("leases beside etcd (needs Debian's etcd-client and etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;
	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start(), ProcessCluster.start({ program: "etcd" })]);
	});
	afterAll(async () => {
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	const leases = new Map<ProcessCluster, string>();
	const run = async (cluster: ProcessCluster, at: number, step: string) => {
		const args = step.replace("{lease}", leases.get(cluster) ?? "none").split(" ");
		const result = await etcdctl(
			cluster.endpoints[at % 3] as string,
			args.map((arg) => (arg === "''" ? "" : arg)),
		);
		const granted = /^lease ([0-9a-f]+) granted with TTL\(300s\)$/m.exec(result.stdout)?.[1];
		if (granted !== undefined) leases.set(cluster, granted);
		const show = (text: string): string =>
			normaliseOutput(text)
				.replace(/("ttl":)\d+/g, "$1<seconds>")
				// etcd tells a lease's keys in no particular order.
				.replace(/(attached keys\(\[)([^\]]*)/g, (_all, head: string, keys: string) => head + keys.split(" ").sort().join(" "))
				.replace(/("keys":\[)([^\]]*)/g, (_all, head: string, keys: string) => head + keys.split(",").sort().join(","))
				.split("\n")
				.filter((line) => !line.startsWith('{"level":"warn"'))
				.join("\n");
		return { status: result.status, stdout: show(result.stdout), stderr: show(result.stderr) };
	};

	// Each command goes through another member than the one before: any of them must do.
	for (const [at, step] of STEPS.entries()) {
		test(`${at}: etcdctl ${step}`, async () => {
			await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
			const [mine, reference] = await Promise.all([run(ours, at, step), run(theirs, at, step)]);
			expect(mine).toEqual(reference);
		});
	}

	for (const [at, [path, body, timed]] of CALLS.entries()) {
		test(`gateway ${at}: ${path} ${JSON.stringify(body)}`, async () => {
			await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
			const [mine, reference] = await Promise.all([post(ours, at, path, body), post(theirs, at, path, body)]);
			const show = ({ text }: { text: string }): unknown => {
				const answer = JSON.parse(normaliseOutput(text)) as Record<string, unknown>;
				if (timed !== undefined) delete answer[timed];
				// In no particular order, and the short ones of the steps above may have ended or not.
				if (Array.isArray(answer.leases)) answer.leases = idsOf(answer.leases).filter((id) => LASTING.has(id));
				return "code" in answer ? { code: answer.code, message: answer.message } : answer;
			};
			expect(show(mine)).toEqual(show(reference));
		});
	}
});

// With keys and leases of their own, all at once.
describe.concurrent("leases of three members", () => {
	let cluster: ProcessCluster;
	beforeAll(async () => {
		cluster = await ProcessCluster.start();
	});
	afterAll(async () => {
		await cluster?.dispose();
	});

	test("npm etcd3: granted, kept alive, revoked, lost, and locks and elections on top of it", async () => {
		const client = new Etcd3({ hosts: cluster.members.map((member) => member.clientUrl) });
		try {
			const lease = client.lease(SHORT_SECONDS);
			await lease.put("npm").value("here");
			const id = await lease.grant();
			expect((await client.leaseClient.leaseTimeToLive({ ID: id, keys: true })).keys.map(String)).toEqual(["npm"]);
			// Longer than its time: the client renews it.
			await pause((SHORT_SECONDS + 2) * 1_000);
			expect(await client.get("npm").string()).toBe("here");
			await lease.revoke();
			expect(await client.get("npm").string()).toBeNull();
			const left = client.lease(SHORT_SECONDS, { autoKeepAlive: false });
			await left.put("left").value("alone");
			await waitUntil("it ends by itself", async () => (await client.get("left").string()) === null);
			const order: string[] = [];
			const first = await client.lock("npm-lock").acquire();
			const second = client.lock("npm-lock").acquire();
			await expect(second, "the lock is taken").rejects.toThrow();
			order.push("released");
			await first.release();
			await (await client.lock("npm-lock").acquire()).release();
			expect(order).toEqual(["released"]);
		} finally {
			client.close();
		}
	});

	test("python3-etcd3: lease, refresh, keys, revoke, lock (needs Debian's python3-etcd3)", async (context) => {
		const known = await runTool(PYTHON, ["-c", "import etcd3"]).catch(() => ({ status: 1 }));
		if (known.status !== 0) {
			context.skip();
			return;
		}
		const [host, port] = (cluster.endpoints[1] as string).split(":");
		const script = `
import etcd3
client = etcd3.client(host="${host}", port=${port})
lease = client.lease(600)
client.put("python", "here", lease=lease)
assert client.get("python")[0] == b"here"
assert [reply.TTL for reply in lease.refresh()] == [600]
assert lease.granted_ttl == 600 and 300 <= lease.remaining_ttl <= 600
assert list(lease.keys) == [b"python"]
lease.revoke()
assert client.get("python")[0] is None
assert lease.remaining_ttl == -1
try:
    client.put("python", "late", lease=lease)
    raise SystemExit("a lease that is gone was taken")
except Exception as error:
    assert "requested lease not found" in str(error), error
lock = client.lock("python-lock", ttl=120)
assert lock.acquire(timeout=60)
assert lock.is_acquired()
assert lock.release()
# To wait for a lock that is taken fails in the library itself, with the version of tenacity that Debian has.
other = client.lock("python-lock", ttl=120)
assert other.acquire(timeout=60)
assert other.release()
print("done")
`;
		const result = await runTool(PYTHON, ["-c", script]);
		expect(result).toMatchObject({ status: 0, stdout: "done\n" });
	});

	test("Lock: one holder at a time, in the order of coming; who stops waiting leaves no key", async () => {
		const lock = (at: number, lease: number, signal?: AbortSignal) =>
			fetch(`${cluster.member(at).clientUrl}/v3/lock/lock`, {
				method: "POST",
				body: JSON.stringify({ name: base64("queue"), lease }),
				...(signal === undefined ? {} : { signal }),
			}).then(async (response) => (await response.json()) as { header: { revision: string }; key: string });
		const leases = [501, 502, 503, 504];
		for (const ID of leases) await answerOf(cluster, 0, "/v3/lease/grant", { ID, TTL: LONG_SECONDS });
		const waiting = async (count: number) => waitUntil(`${count} keys`, async () => (await countOf(cluster, 0, "queue/")) === count);
		const first = await lock(0, 501);
		const leaver = new AbortController();
		const gone = lock(1, 502, leaver.signal).catch(() => "gone");
		await waiting(2);
		const order: number[] = [];
		const inTurn = async <T>(number: number, held: Promise<T>): Promise<T> => {
			const result = await held;
			order.push(number);
			return result;
		};
		const third = inTurn(3, lock(2, 503));
		await waiting(3);
		const fourth = inTurn(4, lock(0, 504));
		await waiting(4);
		leaver.abort();
		expect(await gone).toBe("gone");
		await waiting(3);
		expect(order).toEqual([]);
		await answerOf(cluster, 1, "/v3/lock/unlock", { key: first.key });
		const next = await third;
		expect(order).toEqual([3]);
		// The end of the lease releases the lock, too.
		await answerOf(cluster, 2, "/v3/lease/revoke", { ID: 503 });
		const last = await fourth;
		expect(order).toEqual([3, 4]);
		expect([
			Number(next.header.revision) > Number(first.header.revision),
			Number(last.header.revision) > Number(next.header.revision),
		]).toEqual([true, true]);
		for (const ID of [501, 502, 504]) await answerOf(cluster, 0, "/v3/lease/revoke", { ID });
		expect(await countOf(cluster, 1, "queue/")).toBe(0);
	});

	test("Lock through all members: holders never overlap, and what they write is fenced by the key that they hold", async () => {
		const round = async (worker: number): Promise<void> => {
			const ID = 600 + worker;
			await answerOf(cluster, worker % 3, "/v3/lease/grant", { ID, TTL: LONG_SECONDS });
			for (let turn = 0; turn < 4; turn++) {
				const { key } = await answerOf<{ key: string }>(cluster, (worker + turn) % 3, "/v3/lock/lock", {
					name: base64("fence"),
					lease: ID,
				});
				const { kvs } = await answerOf<{ kvs: Array<{ create_revision: string }> }>(cluster, turn % 3, "/v3/kv/range", { key });
				const create_revision = kvs[0]?.create_revision;
				const before = await answerOf<{ kvs?: Array<{ value: string }> }>(cluster, worker % 3, "/v3/kv/range", { key: base64("counter") });
				const count = Number(Buffer.from(before.kvs?.[0]?.value ?? "", "base64").toString() || "0");
				const written = await answerOf<{ succeeded?: boolean }>(cluster, turn % 3, "/v3/kv/txn", {
					compare: [{ key, target: "CREATE", result: "EQUAL", create_revision }],
					success: [{ request_put: { key: base64("counter"), value: base64(String(count + 1)) } }],
				});
				expect(written.succeeded).toBe(true);
				await answerOf(cluster, worker % 3, "/v3/lock/unlock", { key });
				const late = await answerOf<{ succeeded?: boolean }>(cluster, worker % 3, "/v3/kv/txn", {
					compare: [{ key, target: "CREATE", result: "EQUAL", create_revision }],
					success: [{ request_put: { key: base64("counter"), value: base64("lost") } }],
				});
				expect(late.succeeded ?? false).toBe(false);
			}
		};
		await Promise.all([0, 1, 2, 3, 4].map(round));
		const after = await answerOf<{ kvs: Array<{ value: string }> }>(cluster, 0, "/v3/kv/range", { key: base64("counter") });
		expect(Buffer.from(after.kvs[0]?.value ?? "", "base64").toString()).toBe("20");
	});

	test("two thousand leases of one moment end while others write", async () => {
		const client = new Etcd3({ hosts: cluster.members.map((member) => member.clientUrl) });
		try {
			const many = 2_000;
			// As long as it takes to grant them all, so long it takes until all have ended: writes find their way between.
			const grantAndPut = async (at: number): Promise<void> => {
				await client.leaseClient.leaseGrant({ ID: String(20_000 + at), TTL: "10" });
				await client
					.put(`mass/${at}`)
					.lease(String(20_000 + at))
					.value("v");
			};
			for (let at = 0; at < many; at += 200) await Promise.all(Array.from({ length: 200 }, (_, i) => grantAndPut(at + i)));
			let writes = 0;
			let between = 0;
			let left = many;
			const deadline = performance.now() + CALL_MS;
			while (left > 0) {
				if (left === many) await pause(20);
				const before = left;
				await client.put("meanwhile").value(String(++writes));
				left = await client.getAll().prefix("mass/").count();
				if (before < many && left > 0) between++;
				if (performance.now() > deadline) throw new Error(`${left} of ${many} are still there after ${CALL_MS} ms`);
			}
			expect(await client.get("meanwhile").number()).toBe(writes);
			expect(
				(await client.leaseClient.leaseLeases({})).leases.filter(({ ID }) => Number(ID) >= 20_000 && Number(ID) < 20_000 + many),
			).toEqual([]);
			// A write waits for small batches of ends, never for all of them: some were answered when a part had ended.
			expect(between).toBeGreaterThan(0);
		} finally {
			client.close();
		}
	});

	test("kill -9 of the leader: no lease that is renewed is lost, and the others end", async () => {
		const cluster = await ProcessCluster.start();
		try {
			const ids = Array.from({ length: 10 }, (_, at) => 9_000 + at);
			const leader = await leaderOf(cluster);
			// All at once: the first must not have run out on a slow machine before the last is there.
			const granted = ids.map(async (ID) => {
				await answerOf(cluster, ID, "/v3/lease/grant", { ID, TTL: SHORT_SECONDS });
				await answerOf(cluster, ID, "/v3/kv/put", { key: base64(`kill/${ID}`), value: base64("v"), lease: ID });
			});
			await Promise.all(granted);
			const others = [0, 1, 2].filter((at) => at !== leader);
			await cluster.member(leader).process.kill("SIGKILL");
			const killedMs = performance.now();
			const renewed = ids.slice(0, 5);
			let asked = 0;
			// Longer than they live by themselves.
			while (performance.now() - killedMs < (SHORT_SECONDS + 1) * 1_000) {
				await Promise.all(renewed.map(async (ID) => expect(await renew(cluster, others[asked++ % 2] as number, ID)).toBe(SHORT_SECONDS)));
				await pause(300);
			}
			for (const ID of renewed) expect(await countOf(cluster, others[0] as number, `kill/${ID}`)).toBe(1);
			await waitUntil("the others have ended", async () => (await countOf(cluster, others[0] as number, "kill/")) <= renewed.length);
			await cluster.member(leader).process.start();
			await waitUntil("all end when nobody renews them", async () => (await countOf(cluster, leader, "kill/")) === 0);
		} finally {
			await cluster.dispose();
		}
	});

	test("a leader that was stopped meanwhile ends no lease that is renewed elsewhere; each death is told with its reason", async () => {
		const cluster = await ProcessCluster.start();
		const taps = new TapRecorder(cluster.members, ["leaseEnded"]);
		try {
			const leader = await leaderOf(cluster);
			const others = [0, 1, 2].filter((at) => at !== leader);
			const ttl = SHORT_SECONDS;
			for (const [ID, key] of [
				[1, "kept"],
				[2, "given-back"],
			]) {
				await answerOf(cluster, 0, "/v3/lease/grant", { ID, TTL: ttl });
				await answerOf(cluster, 0, "/v3/kv/put", { key: base64(`stop/${key}`), value: base64("v"), lease: ID });
			}
			await answerOf(cluster, 0, "/v3/kv/put", { key: base64("stop/second"), value: base64("v"), lease: 1 });
			// Its clock will say that the time of the lease is up: it heard of none of the renewals.
			await cluster.member(leader).process.kill("SIGSTOP");
			const stoppedMs = performance.now();
			let asked = 0;
			const renewUntil = async (ms: number, at: readonly number[]): Promise<void> => {
				while (performance.now() - stoppedMs < ms) {
					expect(await renew(cluster, at[asked++ % at.length] as number, 1)).toBe(ttl);
					await pause(200);
				}
			};
			await renewUntil((ttl + 1) * 1_000, others);
			await cluster.member(leader).process.kill("SIGCONT");
			await renewUntil((ttl + 2.5) * 1_000, [0, 1, 2]);
			for (const at of [0, 1, 2]) await waitUntil("the other lease has ended", async () => (await countOf(cluster, at, "stop/")) === 2);
			expect(await renew(cluster, leader, 1)).toBe(ttl);
			await answerOf(cluster, 0, "/v3/lease/grant", { ID: 3, TTL: LONG_SECONDS });
			await answerOf(cluster, 0, "/v3/lease/revoke", { ID: 3 });
			for (const at of [0, 1, 2]) await waitUntil("nobody renews it any more", async () => (await countOf(cluster, at, "stop/")) === 0);
			// What a member tells arrives behind its answers.
			await waitUntil("all deaths are told", async () => taps.seen().length >= 9);
			const deaths = new Map<string, string[]>();
			for (const { event, member } of taps.take(0)) {
				const { keys, lease, reason, revision } = event.fields as Readonly<Record<string, string | number>>;
				deaths.set(member, [...(deaths.get(member) ?? []), `${lease} ${reason}, ${keys} keys, revision ${revision}`]);
			}
			const [first] = [...deaths.values()];
			expect(first?.map((death) => death.replace(/, revision.*/, ""))).toEqual([
				"2 expired, 1 keys",
				"3 revoked, 0 keys",
				"1 expired, 2 keys",
			]);
			// Alike on every member, the one that slept included.
			expect([...deaths.values()]).toEqual([first, first, first]);
		} finally {
			taps.take(0);
			await cluster.dispose();
		}
	});

	test.skipIf(!haveTools)("a learner answers no call of leases, locks and elections (needs etcdctl and etcd)", async () => {
		const LEARNER_CALLS: ReadonlyArray<readonly [path: string, body: unknown]> = [
			["/v3/lease/grant", { TTL: 60 }],
			["/v3/lease/revoke", { ID: 1 }],
			["/v3/lease/timetolive", { ID: 1 }],
			["/v3/lease/leases", {}],
			["/v3/lease/keepalive", { ID: 1 }],
			["/v3/lock/lock", { name: base64("n"), lease: 1 }],
			["/v3/lock/unlock", { key: base64("n/1") }],
			["/v3/election/campaign", { name: base64("n"), lease: 1 }],
			["/v3/election/proclaim", { leader: { name: base64("n"), key: base64("n/1"), rev: 1, lease: 1 } }],
			["/v3/election/leader", { name: base64("n") }],
			["/v3/election/observe", { name: base64("n") }],
			["/v3/election/resign", { leader: { name: base64("n"), key: base64("n/1"), rev: 1, lease: 1 } }],
		];
		const ask = async (program: "flotilla" | "etcd"): Promise<unknown[]> => {
			const cluster = await ProcessCluster.start({ size: 1, program });
			const learner = await cluster.newcomer("learner");
			try {
				await answerOf(cluster, 0, "/v3/cluster/member/add", { peerURLs: [learner.peerUrl], isLearner: true });
				await learner.process.start();
				return await Promise.all(
					LEARNER_CALLS.map(async ([path, body]) => {
						const signal = AbortSignal.timeout(CALL_MS);
						const response = await fetch(learner.clientUrl + path, { method: "POST", body: JSON.stringify(body), signal });
						const { error, ...flat } = (await response.json()) as Record<string, unknown>;
						const { code, grpc_code, message } = (typeof error === "object" ? error : flat) as Record<string, unknown>;
						return { path, code: code ?? grpc_code, message };
					}),
				);
			} finally {
				await learner.process.dispose();
				await cluster.dispose();
			}
		};
		const [ours, theirs] = await Promise.all([ask("flotilla"), ask("etcd")]);
		const message = "etcdserver: rpc not supported for learner";
		expect(ours).toEqual(LEARNER_CALLS.map(([path]) => ({ path, code: 9, message })));
		// etcd 3.4 has another code for it.
		expect(theirs).toEqual(LEARNER_CALLS.map(([path]) => ({ path, code: 14, message })));
	});
});
