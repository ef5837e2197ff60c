/** The npm client `etcd3` against real processes. */
import { Etcd3, Range } from "etcd3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { drawnFront } from "../src/process/drawn-front.ts";

const front = drawnFront("etcd3");

describe(`npm etcd3 (${front.told})`, () => {
	let cluster: ProcessCluster;
	let client: Etcd3;

	beforeAll(async () => {
		cluster = await ProcessCluster.start({ flags: front.flags });
		client = new Etcd3({ hosts: cluster.members.map((member) => member.clientUrl) });
	});
	afterAll(async () => {
		client?.close();
		await cluster?.dispose();
	});

	test("put, get as string, number, JSON and buffer, and absence", async () => {
		await client.put("greeting").value("hello");
		expect(await client.get("greeting").string()).toBe("hello");
		await client.put("count").value(42);
		expect(await client.get("count").number()).toBe(42);
		await client.put("shape").value(JSON.stringify({ sides: 3 }));
		expect(await client.get("shape").json()).toEqual({ sides: 3 });
		const raw = Buffer.from([0, 255, 128, 7]);
		await client.put("raw").value(raw);
		expect(await client.get("raw").buffer()).toEqual(raw);
		expect(await client.get("absent").string()).toBeNull();
		expect(await client.get("greeting").exists()).toBe(true);
	});

	test("put with the previous value", async () => {
		await client.put("previous").value("one");
		const before = await client.put("previous").value("two").getPrevious();
		expect(before?.value.toString()).toBe("one");
	});

	test("ranges: by prefix, sorted, limited, counted", async () => {
		for (const name of ["c", "a", "b"]) await client.put(`fruit/${name}`).value(name.toUpperCase());
		expect(await client.getAll().prefix("fruit/").strings()).toEqual({ "fruit/a": "A", "fruit/b": "B", "fruit/c": "C" });
		expect(await client.getAll().prefix("fruit/").sort("Key", "Descend").limit(2).keys()).toEqual(["fruit/c", "fruit/b"]);
		expect(await client.getAll().prefix("fruit/").count()).toBe(3);
	});

	test("delete: one, by prefix, all", async () => {
		expect((await client.delete().key("greeting")).deleted).toBe("1");
		expect((await client.delete().prefix("fruit/")).deleted).toBe("3");
		await client.delete().all();
		expect(await client.getAll().keys()).toEqual([]);
	});

	test("transactions: both branches, comparisons, several operations", async () => {
		const once = () =>
			client
				.if("lock", "Create", "==", 0)
				.then(client.put("lock").value("mine"), client.put("log").value("taken"))
				.else(client.get("lock"))
				.commit();
		const first = await once();
		expect(first.succeeded).toBe(true);
		const second = await once();
		expect(second.succeeded).toBe(false);
		expect(second.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe("mine");
		expect(await client.get("log").string()).toBe("taken");
	});

	test("namespaces and software transactions", async () => {
		const inner = client.namespace("inner/");
		await inner.put("balance").value(10);
		await inner.stm().transact(async (tx) => {
			const balance = await tx.get("balance").number();
			await tx.put("balance").value((balance ?? 0) - 3);
		});
		expect(await client.get("inner/balance").number()).toBe(7);
	});

	test("a refusal arrives as the client's typed error", async () => {
		await expect(client.get("x").revision(999_999).string()).rejects.toThrow("etcdserver: mvcc: required revision is a future revision");
	});

	test("users, roles and permissions; a client with credentials logs in, and does so again when its token is gone", async () => {
		const hosts = cluster.members.map((member) => member.clientUrl);
		const root = await client.user("root").create("rootpw");
		const rootRole = await client.role("root").create();
		await root.addRole(rootRole);
		const role = await client.role("fruits").create();
		await role.grant({ permission: "Readwrite", range: Range.prefix("fruit/") });
		const ann = await client.user("ann").create("annpw");
		await ann.addRole(role);
		await client.auth.authEnable();
		const asRoot = new Etcd3({ hosts, auth: { username: "root", password: "rootpw" } });
		const asAnn = new Etcd3({ hosts, auth: { username: "ann", password: "annpw" } });
		try {
			await asAnn.put("fruit/plum").value("blue");
			expect(await asAnn.getAll().prefix("fruit/").strings()).toEqual({ "fruit/plum": "blue" });
			await expect(asAnn.put("vegetable").value("green")).rejects.toThrow("etcdserver: permission denied");
			await expect(client.get("fruit/plum").string()).rejects.toThrow("etcdserver: user name is empty");
			expect(await asRoot.get("fruit/plum").string()).toBe("blue");
			// The same password anew: her token is void, and her client comes back with another one.
			await asRoot.user("ann").setPassword("annpw");
			expect(await asAnn.get("fruit/plum").string()).toBe("blue");
			await asRoot.user("ann").setPassword("annpw2");
			await expect(asAnn.get("fruit/plum").string()).rejects.toThrow();
			const again = new Etcd3({ hosts, auth: { username: "ann", password: "annpw2" } });
			expect(await again.get("fruit/plum").string()).toBe("blue");
			again.close();
		} finally {
			await asRoot.auth.authDisable();
			asRoot.close();
			asAnn.close();
		}
	});
});
