/**
 * `flotilla migrate` killed (SIGKILL) while it follows and while it compares: the source is as it was, the target holds what the source
 * held at one of its revisions, begun again it refuses that, and from an empty target it ends well. While it copies: migrate-faults.
 */
import { describe, expect, test } from "vitest";
import type { KvClient } from "../src/client/kv-client.ts";
import type { Migration } from "../src/process/migration.ts";
import { etcdctl, haveProgram } from "../src/process/tools.ts";
import { good, MINUTE, Scene, WAYS } from "./migrate-ways.ts";

/** So many that a comparison takes longer than its end can be missed by. */
const KEYS = 20_000;
const IN_ONE = 100;
const KILLED = -1;

describe.skipIf(!haveProgram("etcd") || !haveProgram("etcdctl"))(
	"flotilla migrate, killed (needs Debian's etcd-server and etcd-client)",
	{ concurrent: true },
	() => {
		function migrate(scene: Scene, from: string, to: string, ...more: string[]): Migration {
			return scene.migration(["--from", from, "--to", to, ...more]);
		}

		async function fill(one: KvClient): Promise<void> {
			for (let from = 0; from < KEYS; from += IN_ONE) {
				const put = (n: number) => ({ request_put: { key: Buffer.from(`k/${from + n}`), value: Buffer.from(`v${n}`) } });
				await one.txn({ success: Array.from({ length: IN_ONE }, (_, n) => put(n)) });
			}
		}

		/** Every key with its value, in order. */
		async function contents(at: string, prefix = ""): Promise<string> {
			const range = prefix === "" ? ["", "--from-key"] : [prefix, "--prefix"];
			return good(etcdctl(at, ["get", ...range]));
		}

		/** What is left of it is refused, and stays as it is; with that emptied a new one ends well. */
		async function beginAgain(scene: Scene, from: string, into: string): Promise<void> {
			const left = await contents(into);
			const again = migrate(scene, from, into, "--once");
			expect([await again.status, again.output]).toEqual([1, expect.stringContaining("not empty")]);
			expect(await contents(into)).toBe(left);
			await good(etcdctl(into, ["del", "", "--from-key"]));
			const last = migrate(scene, from, into, "--once");
			expect([await last.status, last.output]).toEqual([0, expect.stringMatching(/compared: \d+ keys, 0 leases, .*: the same/)]);
			expect(await contents(into)).toBe(await contents(from));
		}

		test.for(WAYS)(
			"while %s is followed into %s, in the middle of writes: the target holds them up to one of them, and none beyond",
			async ([from, to], context) => {
				const scene = new Scene(context);
				const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
				const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
				const writer = scene.client(at);
				await writer.put("before", "1");
				const run = migrate(scene, at, into);
				await run.says("in step");
				// Each revision puts a key and takes the one before away: of any of them the target must hold exactly one.
				let written = 0;
				let writing = true;
				const writes = (async () => {
					for (; writing; written++) {
						const ops = [{ request_put: { key: Buffer.from(`at/${written}`), value: Buffer.from(String(written)) } }];
						const gone = { request_delete_range: { key: Buffer.from(`at/${written - 1}`) } };
						await writer.txn({ success: written === 0 ? ops : [...ops, gone] });
					}
				})();
				await expect.poll(() => contents(into, "at/"), { timeout: MINUTE }).not.toBe("");
				await expect.poll(() => written, { timeout: MINUTE }).toBeGreaterThan(200);
				run.signal("SIGKILL");
				expect(await run.status).toBe(KILLED);
				expect(run.output).not.toContain("switching");
				const [, held] = /^at\/(\d+)\n\1\n$/.exec(await contents(into, "at/")) ?? [];
				const told = written;
				expect(held).toBeDefined();
				writing = false;
				await writes;
				expect(Number(held)).toBeLessThanOrEqual(told);
				// Nothing goes on there by itself.
				expect(await contents(into, "at/")).toBe(`at/${held}\n${held}\n`);
				expect(await contents(at, "at/")).toBe(`at/${written - 1}\n${written - 1}\n`);
				await beginAgain(scene, at, into);
			},
		);

		test.for(WAYS)(
			"while %s is compared with %s: both hold everything, and nothing was said to be the same",
			async ([from, to], context) => {
				const scene = new Scene(context);
				const [source, target] = await Promise.all([scene.start(from, 1), scene.start(to, 1)]);
				const [at, into] = [source.endpoints[0] as string, target.endpoints[0] as string];
				await fill(scene.client(at));
				const run = migrate(scene, at, into);
				await run.says("in step");
				void run.pressEnter();
				await run.says(/in step up to revision \d+; /);
				run.signal("SIGKILL");
				expect(await run.status).toBe(KILLED);
				expect(run.output).not.toContain("compared");
				const whole = await contents(at);
				expect(whole.split("\n")).toHaveLength(2 * KEYS + 1);
				expect(await contents(into)).toBe(whole);
				await beginAgain(scene, at, into);
			},
		);
	},
);
