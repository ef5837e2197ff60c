/** The npm package `@keyv/etcd`, by itself and under Keyv, against real processes. */
import KeyvEtcd from "@keyv/etcd";
import Keyv from "keyv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { eventually } from "../src/process/wait.ts";

describe("@keyv/etcd", () => {
	let cluster: ProcessCluster;
	const stores: KeyvEtcd[] = [];
	const errors: unknown[] = [];
	beforeAll(async () => {
		cluster = await ProcessCluster.start();
	});
	afterAll(async () => {
		for (const store of stores) await store.disconnect();
		await cluster?.dispose();
	});

	/** Through another member each time. */
	function open(options: { ttl?: number } = {}): KeyvEtcd {
		const store = new KeyvEtcd(`etcd://${cluster.endpoints[stores.length % 3]}`, options);
		store.on("error", (error) => errors.push(error));
		stores.push(store);
		return store;
	}

	test("values of every kind, through Keyv, seen through another member", async () => {
		const [written, read] = [new Keyv({ store: open(), namespace: "kinds" }), new Keyv({ store: open(), namespace: "kinds" })];
		const values = {
			text: "größe",
			number: 42,
			nothing: null,
			list: [1, "two", { three: 3 }],
			bytes: Buffer.from([0, 255, 10]),
			empty: "",
		};
		for (const [key, value] of Object.entries(values)) expect(await written.set(key, value)).toBe(true);
		for (const [key, value] of Object.entries(values)) expect([key, await read.get(key)]).toEqual([key, value]);
		expect(await read.get("absent")).toBeUndefined();
		expect(await read.has("text")).toBe(true);
		expect(await read.has("absent")).toBe(false);
	});

	test("several at once, and what is deleted is gone", async () => {
		const keyv = new Keyv({ store: open(), namespace: "many" });
		for (const key of ["a", "b", "c"]) await keyv.set(key, key.toUpperCase());
		expect(await keyv.get(["a", "x", "c"])).toEqual(["A", undefined, "C"]);
		expect(await keyv.delete("a")).toBe(true);
		expect(await keyv.delete("a")).toBe(false);
		expect(await keyv.delete(["b", "c"])).toBe(true);
		expect(await keyv.get(["a", "b", "c"])).toEqual([undefined, undefined, undefined]);
	});

	test("namespaces are apart: each lists its own keys, and clearing one leaves the other", async () => {
		const [one, two] = [new Keyv({ store: open(), namespace: "one" }), new Keyv({ store: open(), namespace: "two" })];
		for (let at = 0; at < 5; at++) {
			await one.set(`k${at}`, at);
			await two.set(`k${at}`, at * 10);
		}
		const listed: unknown[] = [];
		for await (const [key, value] of one.iterator?.("one") ?? []) listed.push([key, value]);
		expect(listed).toEqual([0, 1, 2, 3, 4].map((at) => [`k${at}`, at]));
		await one.clear();
		expect(await one.get("k1")).toBeUndefined();
		expect(await two.get("k1")).toBe(10);
	});

	test("a time to live is a lease's: the keys are there, and then they are not", async () => {
		// Not before it was read once, on a machine as busy as may be.
		const store = open({ ttl: 6_000 });
		await store.set("short", "lived");
		expect(await store.get("short")).toBe("lived");
		const reader = open();
		await eventually("the key has ended with its lease", async () => expect(await reader.get("short")).toBeNull());
	});

	test("the loss of the member it talks to is an error, and the others go on", async () => {
		const [one, two] = [open(), open()];
		await one.set("kept", "x");
		const at = cluster.endpoints.indexOf(String(one.opts.url));
		await cluster.member(at).process.kill("SIGKILL");
		await expect(one.set("lost", "y")).rejects.toThrow();
		await eventually("another member takes it", () => two.set("kept", "z"));
		expect(await two.get("kept")).toBe("z");
	});

	test("nothing was an error that nobody waited for", () => {
		expect(errors).toEqual([]);
	});
});
