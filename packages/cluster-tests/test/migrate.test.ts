/** `flotilla migrate`: from a real etcd into flotilla and back, while clients write, renew leases and queue for locks. Real processes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { etcdctl, haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";
import { good, Scene, WAYS } from "./migrate-ways.ts";

/** Of the lease that is to end on the way: not before it has keys. */
const SHORT_SECONDS = 8;

describe.skipIf(!haveProgram("etcd") || !haveProgram("etcdctl"))(
	"flotilla migrate (needs Debian's etcd-server and etcd-client)",
	{ concurrent: true },
	() => {
		/** Some of everything, by etcdctl. */
		async function fill(at: string): Promise<void> {
			const client = new KvClient(at);
			for (let i = 0; i < 300; i++) await client.put(`data/${i % 250}`, `v${i}`);
			await client.put(Buffer.from([0, 255, 1]), Buffer.from([0, 1, 255]));
			for (let i = 0; i < 3; i++) await client.put(`large/${i}`, Buffer.alloc(900_000, i + 1));
			client.close();
			await good(etcdctl(at, ["del", "data/7"]));
			await good(etcdctl(at, ["role", "add", "reader"]));
			await good(etcdctl(at, ["role", "grant-permission", "reader", "read", "data/", "--prefix=true"]));
			await good(etcdctl(at, ["role", "grant-permission", "reader", "write", "one"]));
			for (const user of ["ann:annpw", "root:rootpw"]) await good(etcdctl(at, ["user", "add", user]));
			await good(etcdctl(at, ["user", "grant-role", "ann", "reader"]));
		}

		async function lease(at: string, ttl: number): Promise<string> {
			return /lease ([0-9a-f]+)/.exec(await good(etcdctl(at, ["lease", "grant", String(ttl)])))?.[1] ?? "";
		}

		/** Puts, deletes and transactions without end, until the returned function is called; it says how many there were. */
		function write(at: string): () => Promise<number> {
			const client = new KvClient(at);
			let stopped = false;
			const run = async (): Promise<number> => {
				let round = 0;
				for (; !stopped; round++) {
					const key = `live/${round % 50}`;
					if (round % 7 === 3) await client.deleteRange(key);
					else if (round % 7 === 5) {
						const put = (name: string) => ({ request_put: { key: Buffer.from(name), value: Buffer.from(`txn ${round}`) } });
						await client.txn({
							success: [put(`${key}/a`), put(`${key}/b`), { request_delete_range: { key: Buffer.from(`live/${(round + 9) % 50}`) } }],
						});
					} else await client.put(key, `round ${round}`);
					await pause(2);
				}
				client.close();
				return round;
			};
			const running = run();
			// A failure is told to whoever ends it.
			running.catch(() => {});
			return () => {
				stopped = true;
				return running;
			};
		}

		test.for(WAYS)("a running %s into %s, kept in step, and compared", async ([from, to], context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start(from, from === "etcd" ? 1 : 3), scene.start(to, to === "etcd" ? 1 : 3)]);
			const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
			await fill(at);
			const [kept, short] = [await lease(at, 600), await lease(at, SHORT_SECONDS)];
			for (const [key, id] of [
				["kept", kept],
				["short", short],
			] as const)
				await good(etcdctl(at, ["put", key, "leased", `--lease=${id}`]));
			// The second one in the queue for a lock was put in before the first one by name.
			const queue = [await lease(at, 600), await lease(at, 600), await lease(at, 600)];
			for (const id of [...queue].reverse()) await good(etcdctl(at, ["put", `lock/${id}`, "", `--lease=${id}`]));
			const passwords = join(await scene.folder(), "passwords");
			await writeFile(passwords, "ann:annpw\n");
			const stop = write(at);
			const migration = scene.migration([
				"--from",
				source.endpoints.join(","),
				"--to",
				target.endpoints.join(","),
				"--passwords",
				passwords,
			]);
			await migration.says(/in step up to revision \d+ of \d+; [1-9]\d* changes/);
			// A lease that ends, one that comes, a user of neither side in the way.
			const late = await lease(at, 700);
			await good(etcdctl(at, ["put", "late", "leased", `--lease=${late}`]));
			await good(etcdctl(at, ["lease", "revoke", queue[1] as string]));
			await eventually("the short lease has ended at both", async () => {
				for (const one of [at, into]) expect(await good(etcdctl(one, ["get", "short"]))).toBe("");
			});
			expect(await stop()).toBeGreaterThan(20);
			const status = await migration.pressEnter();
			expect([status, migration.output]).toEqual([0, expect.stringMatching(/compared: \d+ keys, 4 leases, 2 users, 1 roles: the same/)]);
			expect(migration.output).toContain("set passwords anew (etcdctl user passwd): root");
			// By other eyes.
			const everything = ["get", "", "--from-key", "-w", "json"];
			const held = async (one: string): Promise<unknown> =>
				(JSON.parse(await good(etcdctl(one, everything))) as { kvs: Array<{ key: string; value: string; lease?: unknown }> }).kvs.map(
					({ key, value, lease: id }) => [key, value, id],
				);
			expect(await held(into)).toEqual(await held(at));
			expect(await good(etcdctl(into, ["role", "get", "reader"]))).toBe(await good(etcdctl(at, ["role", "get", "reader"])));
			expect(await good(etcdctl(into, ["user", "get", "ann"]))).toContain("Roles: reader");
			const [first, , last] = queue;
			const order = await good(etcdctl(into, ["get", "lock/", "--prefix", "--keys-only", "--sort-by=CREATE"]));
			expect(order.split("\n").filter((line) => line !== "")).toEqual([`lock/${last}`, `lock/${first}`]);
			expect(await good(etcdctl(into, ["lease", "timetolive", kept]))).toContain("granted with TTL(600s)");
		});

		test("members of both sides are lost on the way, and logins are demanded at the source", async (context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start("flotilla", 3), scene.start("flotilla", 3)]);
			const at = source.endpoints[0] as string;
			await fill(at);
			await good(etcdctl(at, ["user", "grant-role", "root", "root"]));
			await good(etcdctl(at, ["auth", "enable"]));
			const passwords = join(await scene.folder(), "passwords");
			await writeFile(passwords, "root:rootpw\nann:other\n");
			const order = [2, 0, 1].map((one) => source.endpoints[one]).join(",");
			const migration = scene.migration([
				"--from",
				order,
				"--from-user",
				"root:rootpw",
				"--to",
				target.endpoints.join(","),
				"--passwords",
				passwords,
			]);
			await migration.says("in step");
			for (let round = 0; round < 20; round++) {
				await good(etcdctl(at, ["--user", "root:rootpw", "put", `k${round % 5}`, String(round)]));
				if (round === 5) await source.member(2).process.kill("SIGKILL");
				if (round === 10) await target.member(0).process.kill("SIGKILL");
			}
			const status = await migration.pressEnter();
			expect([status, migration.output]).toEqual([0, expect.stringContaining("the target demands logins now, as the source does")]);
			const into = target.endpoints[1] as string;
			expect((await etcdctl(into, ["get", "k4"])).stderr).toContain("user name is empty");
			expect(await good(etcdctl(into, ["--user", "root:rootpw", "get", "k4", "--print-value-only"]))).toBe("19\n");
			expect(await good(etcdctl(into, ["--user", "ann:other", "get", "data/1", "--print-value-only"]))).toBe("v251\n");
		});

		test("a target that is not empty is left alone; a wrong call and a source that is not there are told", async (context) => {
			const scene = new Scene(context);
			const target = await scene.start("flotilla", 1);
			const into = target.endpoints[0] as string;
			await good(etcdctl(into, ["put", "mine", "x"]));
			const migrate = (...args: string[]): Promise<ToolResult> => runTool(FLOTILLA_PROGRAM, ["migrate", ...args]);
			const [from] = (await scene.start("flotilla", 1)).endpoints as [string];
			const full = await migrate("--once", "--from", from, "--to", into);
			expect([full.status, full.stderr]).toEqual([
				1,
				expect.stringContaining("the target is not empty (1 keys, 0 leases, 0 users and roles)"),
			]);
			const same = await migrate("--once", "--from", into, "--to", into);
			expect([same.status, same.stderr]).toEqual([
				1,
				expect.stringMatching(/source and target are the same cluster \([0-9a-f]+\), so nothing was done\n$/),
			]);
			const mixed = await migrate("--once", "--from", `127.0.0.1:1,${from},${into}`, "--to", into);
			expect([mixed.status, mixed.stderr]).toEqual([1, expect.stringContaining("the source's endpoints are of different clusters")]);
			expect(mixed.stdout).toContain("the source's endpoint 127.0.0.1:1 does not answer");
			const away = await migrate("--once", "--from", `127.0.0.1:1,${from}`, "--to", into);
			expect([away.status, away.stderr]).toEqual([1, expect.stringContaining("the target is not empty")]);
			for (const args of [[], ["--from", into], ["--from", into, "--to", into, "--to-cert", "a"], ["stray"]]) {
				expect([args, (await migrate(...args)).status]).toEqual([args, 2]);
			}
			expect((await migrate("--help")).stdout).toContain("Usage: flotilla migrate");
		});
	},
);
