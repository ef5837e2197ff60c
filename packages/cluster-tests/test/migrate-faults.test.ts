/** `flotilla migrate` when something goes wrong on the way, from a real etcd into flotilla and back. Real processes. */
import { describe, expect, test } from "vitest";
import type { ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { runningEtcdctl } from "../src/process/running-tool.ts";
import { etcdctl, haveProgram } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";
import { good, MINUTE, Scene, WAYS } from "./migrate-ways.ts";

describe.skipIf(!haveProgram("etcd") || !haveProgram("etcdctl"))(
	"flotilla migrate under faults (needs Debian's etcd-server and etcd-client)",
	// Each waits most of its time, with clusters of its own.
	{ concurrent: true },
	() => {
		async function lease(at: string, ttl: number): Promise<string> {
			return /lease ([0-9a-f]+)/.exec(await good(etcdctl(at, ["lease", "grant", String(ttl)])))?.[1] ?? "";
		}

		/** Keys with a lease are copied one by one, so there is time to do something meanwhile. */
		async function fillSlow(scene: Scene, at: string, count: number): Promise<void> {
			const id = String(BigInt(`0x${await lease(at, 3_600)}`));
			const one = scene.client(at);
			for (let from = 0; from < count; from += 100) {
				const put = (n: number) => ({
					request_put: { key: Buffer.from(`slow/${String(n).padStart(5, "0")}`), value: Buffer.from(`v${n}`), lease: id },
				});
				await one.txn({ success: Array.from({ length: 100 }, (_, n) => put(from + n)) });
			}
		}

		function leaderOf(scene: Scene, cluster: ProcessCluster): Promise<ClusterMember> {
			return eventually("a leader", async () => {
				for (const member of cluster.members) {
					const { header, leader } = await scene.client(member.clientUrl.slice("http://".length)).status();
					if (header.member_id === leader) return member;
				}
				throw new Error("nobody leads");
			});
		}

		test.for(WAYS)("a %s that dies twice and comes back, into a %s that loses its leader", async ([from, to], context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 3)]);
			const at = source.endpoints[0] as string;
			await fillSlow(scene, at, 2_000);
			const run = scene.between(source, target);
			await run.says(/[1-9]\d* of 2000 keys/);
			await source.member(0).process.kill("SIGKILL");
			expect(run.output).not.toContain("are copied");
			await source.member(0).process.start();
			await run.says("in step");
			await good(etcdctl(at, ["put", "between", "1"]));
			await source.member(0).process.kill("SIGKILL");
			await source.member(0).process.start();
			const leader = await leaderOf(scene, target);
			await leader.process.kill("SIGKILL");
			for (let round = 0; round < 100; round++) await scene.client(at).put(`late/${round % 30}`, String(round));
			expect([await run.pressEnter(), run.output]).toEqual([0, expect.stringMatching(/compared: 2031 keys, 1 leases, .*: the same/)]);
		});

		test.for(WAYS)(
			"is killed while it copies %s into %s: begun again it refuses what it left there, and with that emptied it ends well",
			async ([from, to], context) => {
				const scene = new Scene(context);
				const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
				const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
				await fillSlow(scene, at, 2_000);
				const killed = scene.between(source, target);
				await killed.says(/[1-9]\d* of 2000 keys/);
				killed.signal("SIGKILL");
				await killed.status;
				const again = scene.between(source, target, "--once");
				expect([await again.status, again.output]).toEqual([1, expect.stringContaining("not empty")]);
				await scene.client(into).call("KV", "DeleteRange", ["DeleteRangeRequest", "DeleteRangeResponse"], {
					key: Buffer.from("\0"),
					range_end: Buffer.from("\0"),
				});
				for (const id of (await good(etcdctl(into, ["lease", "list"]))).split("\n").slice(1)) {
					if (id.trim() !== "") await good(etcdctl(into, ["lease", "revoke", id.trim()]));
				}
				const last = scene.between(source, target, "--once");
				expect([await last.status, last.output]).toEqual([0, expect.stringMatching(/compared: 2000 keys, 1 leases, .*: the same/)]);
			},
		);

		test.for(WAYS)(
			"%s is compacted past what was read while it is copied into %s: what has changed is copied anew",
			async ([from, to], context) => {
				const scene = new Scene(context);
				const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
				const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
				const one = scene.client(at);
				for (const name of ["gone", "changed", "anew"]) await one.put(`first/${name}`, "old");
				await fillSlow(scene, at, 2_000);
				const run = scene.between(source, target);
				await run.says(/[1-9]\d* of 2003 keys/);
				await one.deleteRange("first/gone");
				await one.put("first/changed", "new");
				await one.deleteRange("first/anew");
				await one.deleteRange("slow/00000");
				await one.deleteRange("slow/01999");
				const queue = [await lease(at, 600), await lease(at, 600)];
				for (const id of [...queue].reverse()) await good(etcdctl(at, ["put", `lock/${id}`, "", `--lease=${id}`]));
				const { header } = await one.put("first/anew", "again");
				await one.compact(Number(header.revision));
				expect(run.output).not.toContain("are copied");
				await run.says("the source was compacted beyond what is not read yet");
				await run.says("in step");
				expect([await run.pressEnter(), run.output]).toEqual([0, expect.stringMatching(/compared: 2002 keys, 3 leases, .*: the same/)]);
				const order = await good(etcdctl(into, ["get", "", "--from-key", "--keys-only", "--sort-by=CREATE"]));
				expect(order.split("\n").filter((line) => line !== "" && !line.startsWith("slow/"))).toEqual([
					"first/changed",
					...[...queue].reverse().map((id) => `lock/${id}`),
					"first/anew",
				]);
			},
		);

		test("Ctrl-C gives up while keys are copied, switches when they are, and gives up a comparison", async (context) => {
			const scene = new Scene(context);
			const source = await scene.start("flotilla", 1);
			await fillSlow(scene, source.endpoints[0] as string, 2_000);
			const early = scene.between(source, await scene.start("flotilla", 1));
			await early.says(/[1-9]\d* of 2000 keys/);
			early.signal("SIGINT");
			expect([await early.status, early.output]).toEqual([
				1,
				expect.stringContaining("Error: stopped by SIGINT; the target holds part of the keys: empty it before you begin again"),
			]);
			const target = await scene.start("flotilla", 1);
			const run = scene.between(source, target);
			// Enter that comes before it was asked for is none.
			await run.says(/[1-9]\d* of 2000 keys/);
			void run.pressEnter();
			await run.says("in step");
			await pause(2_000);
			expect(run.output).not.toContain("switching");
			run.signal("SIGINT");
			await run.says("switching");
			run.signal("SIGINT");
			expect([await run.status, run.output]).toEqual([1, expect.stringContaining("stopped by SIGINT; the target was not compared")]);
		});

		test("a member of either side falls silent: others are asked, and leases live on", async (context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start("flotilla", 3), scene.start("flotilla", 3)]);
			const at = source.endpoints[2] as string;
			const id = await lease(at, 15);
			const owner = runningEtcdctl([at], ["lease", "keep-alive", id]);
			scene.later(() => owner.end());
			await good(etcdctl(at, ["put", "owned", "v", `--lease=${id}`]));
			const run = scene.between(source, target);
			await run.says("in step");
			// The first ones that were named are those that it talks to. Their connections stay as they are.
			await Promise.all([source.member(0).process.kill("SIGSTOP"), target.member(0).process.kill("SIGSTOP")]);
			await good(etcdctl(at, ["put", "late", "v"]));
			const into = target.endpoints[1] as string;
			await eventually("the put has come", async () => expect(await good(etcdctl(into, ["get", "late"]))).not.toBe(""), MINUTE);
			await pause(10_000);
			expect(await good(etcdctl(into, ["get", "owned", "--print-value-only"]))).toBe("v\n");
			expect([await run.pressEnter(), run.output]).toEqual([
				0,
				expect.stringContaining("compared: 2 keys, 1 leases, 0 users, 0 roles: the same"),
			]);
			expect(run.output).not.toContain("ended at the target");
		});

		test.for(WAYS)("%s is compacted while it is compared with %s", async ([from, to], context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
			const at = source.endpoints[0] as string;
			await fillSlow(scene, at, 2_000);
			const one = scene.client(at);
			const run = scene.between(source, target);
			await run.says("in step");
			const status = run.pressEnter();
			await run.says(/in step up to revision \d+; /);
			const { header } = await one.put("late", "v");
			await one.compact(Number(header.revision));
			expect([await status, run.output]).toEqual([0, expect.stringMatching(/compared: 200[01] keys, 1 leases, .*: the same/)]);
		});

		/** A cluster that is no part of it, with something to lose. */
		async function bystander(scene: Scene): Promise<{ cluster: ProcessCluster; untouched: () => Promise<void> }> {
			const cluster = await scene.start("flotilla", 1);
			for (const key of ["app/k1", "app/k2"]) await good(etcdctl(cluster.endpoints, ["put", key, "the bystander's"]));
			const held = async (): Promise<unknown> => {
				const { header, kvs } = JSON.parse(await good(etcdctl(cluster.endpoints, ["get", "", "--from-key", "-w", "json"])));
				return [header.revision, kvs];
			};
			const before = await held();
			return { cluster, untouched: async () => expect(await held()).toEqual(before) };
		}

		test("endpoints of different clusters on one side are refused before anything is done", async (context) => {
			const scene = new Scene(context);
			const [source, target, { cluster, untouched }] = await Promise.all([
				scene.start("flotilla", 1),
				scene.start("etcd", 1),
				bystander(scene),
			]);
			const [from, to, strange] = [source, target, cluster].map(({ endpoints }) => endpoints[0]) as [string, string, string];
			await good(etcdctl(from, ["put", "app/k1", "new"]));
			for (const [side, ...args] of [
				["source", "--from", `${from},${strange}`, "--to", to],
				["target", "--from", from, "--to", `${to},${strange}`],
			] as const) {
				const run = scene.migration([...args, "--once"]);
				expect([await run.status, run.output]).toEqual([
					1,
					expect.stringContaining(`the ${side}'s endpoints are of different clusters, so nothing was done: `),
				]);
				expect(run.output).toMatch(new RegExp(`${strange} of [0-9a-f]+`));
			}
			await untouched();
			expect(await good(etcdctl(to, ["get", "", "--from-key", "--keys-only"]))).toBe("");
		});

		test.for([["source"], ["target"]] as const)(
			"the %s dies while it is in step, and the next endpoint, away at first, is of another cluster: that is left as it is",
			async ([side], context) => {
				const scene = new Scene(context);
				const [source, target, { cluster, untouched }] = await Promise.all([
					scene.start("flotilla", 1),
					scene.start("flotilla", 1),
					bystander(scene),
				]);
				const [from, to] = [source.endpoints[0] as string, target.endpoints[0] as string];
				await good(etcdctl(from, ["put", "app/k1", "first"]));
				const stranger = cluster.member(0);
				await stranger.process.kill("SIGKILL");
				const [strange] = cluster.endpoints as [string];
				const run =
					side === "source"
						? scene.migration(["--from", `${from},${strange}`, "--to", to])
						: scene.migration(["--from", from, "--to", `${to},${strange}`]);
				await run.says("in step");
				expect(run.output).toContain(`the ${side}'s endpoint ${strange} does not answer`);
				await stranger.process.start();
				await eventually("the bystander is back", untouched, MINUTE);
				await (side === "source" ? source : target).member(0).process.kill("SIGKILL");
				if (side === "target") await good(etcdctl(from, ["put", "app/k1", "second"]));
				expect([await run.status, run.output]).toEqual([
					1,
					expect.stringMatching(new RegExp(`the ${side}'s endpoint ${strange} is of another cluster: [0-9a-f]+, where the others are of`)),
				]);
				await untouched();
				if (side === "source") expect(await good(etcdctl(to, ["get", "", "--from-key"]))).toBe("app/k1\nfirst\n");
			},
		);

		test.for(WAYS)("leases of %s that run out after the switch live on in %s, with their keys", async ([from, to], context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
			const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
			await fillSlow(scene, at, 1_000);
			const ids: string[] = [];
			for (let n = 0; n < 12; n++) {
				const id = await lease(at, 600);
				ids.push(id);
				await good(etcdctl(at, ["put", `held/${n}`, "v", `--lease=${id}`]));
			}
			const run = scene.between(source, target);
			await run.says("in step");
			const status = run.pressEnter();
			await run.says("switching");
			await Promise.all(
				ids.map((id) =>
					scene.client(at).call("Lease", "LeaseRevoke", ["LeaseRevokeRequest", "LeaseRevokeResponse"], { ID: String(BigInt(`0x${id}`)) }),
				),
			);
			expect([await status, run.output]).toEqual([0, expect.stringMatching(/compared: \d+ keys, \d+ leases, .*: the same/)]);
			const shared = /compared: (\d+) keys/.exec(run.output)?.[1];
			expect((await scene.client(into).everything({ count_only: true })).count).toBe(shared);
		});

		test("a lease that the target alone has lost is told, and its keys come again", async (context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start("flotilla", 1), scene.start("etcd", 1)]);
			const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
			const id = await lease(at, 10);
			const owner = runningEtcdctl([at], ["lease", "keep-alive", id]);
			scene.later(() => owner.end());
			await good(etcdctl(at, ["put", "owned", "v", `--lease=${id}`]));
			const run = scene.between(source, target);
			await run.says("in step");
			// Nobody renews for longer than the lease lives: the machine slept, or somebody pressed Ctrl-Z.
			run.signal("SIGSTOP");
			await eventually("the lease has ended there", async () => expect(await good(etcdctl(into, ["get", "owned"]))).toBe(""), MINUTE);
			run.signal("SIGCONT");
			await run.says(`lease ${id} ended at the target while it lives at the source`);
			await eventually("the key is back", async () => expect(await good(etcdctl(into, ["get", "owned"]))).not.toBe(""), MINUTE);
			expect([await run.pressEnter(), run.output]).toEqual([
				0,
				expect.stringContaining("compared: 1 keys, 1 leases, 0 users, 0 roles: the same"),
			]);
		});

		test.for(WAYS)("values and keys as large as can be, and one revision of many keys, from %s into %s", async ([from, to], context) => {
			const scene = new Scene(context);
			const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
			const at = source.endpoints[0] as string;
			const one = scene.client(at);
			// Nearly the largest put that both take (how long a request's number is differs): a transaction around it would be too large.
			const other = scene.client(target.endpoints[0] as string);
			let size = 1_572_864;
			const isTaken = async (): Promise<boolean> => {
				try {
					for (const side of [one, other]) await side.put("large!", Buffer.alloc(size, 7));
					return true;
				} catch (error) {
					expect(String(error)).toContain("request is too large");
					return false;
				}
			};
			while (!(await isTaken())) size--;
			for (const side of [one, other]) await side.deleteRange("large!");
			const largest = (name: string) => one.put(name, Buffer.alloc(size - 2, 7));
			await expect(one.txn({ success: [{ request_put: { key: Buffer.from("copied"), value: Buffer.alloc(size - 2) } }] })).rejects.toThrow(
				"request is too large",
			);
			await largest("copied");
			for (let n = 0; n < 12; n++) await one.put(`large/${n}`, Buffer.alloc(1_400_000, n));
			await one.put(Buffer.alloc(1_400_000, 1), "a large key");
			await one.put(Buffer.alloc(1_400_000, 2), "another");
			const run = scene.between(source, target);
			await run.says("in step", 2 * MINUTE);
			await largest("follow");
			await one.put(Buffer.alloc(1_400_000, 3), "followed");
			for (let from_ = 0; from_ < 3_000; from_ += 100) {
				await one.txn({
					success: Array.from({ length: 100 }, (_, n) => ({
						request_put: { key: Buffer.from(`many/${from_ + n}`), value: Buffer.from("v") },
					})),
				});
			}
			await one.deleteRange("many/", { range_end: Buffer.from("many0") });
			expect([await run.pressEnter(), run.output]).toEqual([0, expect.stringMatching(/compared: 17 keys, .*: the same/)]);
			expect(run.output).toContain("1 transactions of the source were too large for one, and came in parts");
		});
	},
);
