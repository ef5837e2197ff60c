/** The JSON gateway's paths of Maintenance and Election, and what it reads in another way than etcd 3.4's, beside that. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { haveProgram } from "../src/process/tools.ts";

interface Answer {
	readonly status: number;
	readonly body: Readonly<Record<string, unknown>>;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const NOT_THERE = "Not Found";

describe.skipIf(!haveProgram("etcd"))("the JSON gateway beside etcd's (needs Debian's etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;
	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start({ size: 1 }), ProcessCluster.start({ size: 1, program: "etcd" })]);
		await both("/v3/kv/put", { key: base64("foo"), value: base64("bar") });
		await both("/v3/kv/put", { key: base64("foo"), value: base64("baz") });
		await both("/v3/kv/compaction", { revision: 2 });
	});
	afterAll(async () => {
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	const send = (cluster: ProcessCluster, path: string, body: string): Promise<Response> =>
		fetch(`${cluster.member(0).clientUrl}${path}`, { method: "POST", body });
	const ask = async (cluster: ProcessCluster, path: string, body: string): Promise<Answer> => {
		const response = await send(cluster, path, body);
		const text = normaliseOutput(await response.text()).trim();
		return { status: response.status, body: text === NOT_THERE ? { text } : (JSON.parse(text) as Answer["body"]) };
	};
	const both = async (path: string, body: unknown): Promise<readonly [Answer, Answer]> => {
		const text = typeof body === "string" ? body : JSON.stringify(body);
		return [await ask(ours, path, text), await ask(theirs, path, text)];
	};

	test("alarms: the same, and a header as 3.6 has it", async () => {
		const alarm = { alarm: "NOSPACE", memberID: "5" };
		for (const [body, wanted] of [
			[{}, {}],
			[{ action: "ACTIVATE", ...alarm }, { alarms: [alarm] }],
			[{ action: "GET" }, { alarms: [alarm] }],
			[{ action: "DEACTIVATE", ...alarm }, { alarms: [alarm] }],
			[{ action: "GET", alarm: "NOSPACE" }, {}],
		] as const) {
			const [{ status, body: mine }, reference] = await both("/v3/maintenance/alarm", body);
			const { header, ...rest } = mine;
			expect([body, reference]).toEqual([body, { status: 200, body: wanted }]);
			expect([body, { status, body: rest }]).toEqual([body, reference]);
			expect(header).toMatchObject({ revision: "3" });
		}
	});

	test("a hash of each one's own file; Defragment", async () => {
		const [mine, reference] = await both("/v3/maintenance/hash", {});
		expect([mine.status, Object.keys(mine.body)]).toEqual([reference.status, Object.keys(reference.body)]);
		expect(mine.body.header).toEqual(reference.body.header);
		expect(typeof mine.body.hash).toBe("number");
		const defragment = await both("/v3/maintenance/defragment", {});
		expect(defragment[0]).toEqual(defragment[1]);
		expect(defragment[0]).toEqual({ status: 200, body: {} });
	});

	test("HashKV and Downgrade have paths in 3.6 and none in 3.4", async () => {
		const hashes = await both("/v3/maintenance/hashkv", { revision: 3 });
		expect(hashes[0]).toMatchObject({ status: 200, body: { hash: expect.any(Number), compact_revision: "2", hash_revision: "3" } });
		expect(hashes[1]).toEqual({ status: 404, body: { text: NOT_THERE } });
		const later = await both("/v3/maintenance/hashkv", { revision: 99 });
		expect(later[0]).toMatchObject({
			status: 400,
			body: { code: 11, message: "etcdserver: mvcc: required revision is a future revision" },
		});
		for (const [body, message] of [
			[{}, "etcdserver: wrong downgrade target version format"],
			[{ action: "VALIDATE", version: "3.5.0" }, "etcdserver: invalid downgrade target version"],
			[{ action: "ENABLE", version: "3.5.0" }, "etcdserver: invalid downgrade target version"],
		] as const) {
			const [{ status, body: refusal }, reference] = await both("/v3/maintenance/downgrade", body);
			expect([body, status, refusal.message]).toEqual([body, 400, message]);
			expect(reference.status).toBe(404);
		}
		const [cancel] = await both("/v3/maintenance/downgrade", { action: "CANCEL" });
		expect(cancel).toMatchObject({ status: 200, body: { header: { revision: "3" } } });
	});

	test("an election: no leader, a campaign, the leader, and what observers hear", async () => {
		const name = base64("e");
		for (const [path, body] of [
			["/v3/election/leader", { name }],
			["/v3/lease/grant", { ID: "77", TTL: "60" }],
			["/v3/election/campaign", { name, lease: "77", value: base64("me") }],
			["/v3/election/leader", { name }],
		] as const) {
			const [mine, reference] = await both(path, body);
			expect([path, mine]).toEqual([path, reference]);
		}
		const observe = async (cluster: ProcessCluster): Promise<[number, unknown]> => {
			const response = await send(cluster, "/v3/election/observe", JSON.stringify({ name }));
			const reader = (response.body as ReadableStream<Uint8Array>).getReader();
			const { value } = await reader.read();
			await reader.cancel();
			return [response.status, JSON.parse(normaliseOutput(Buffer.from(value ?? []).toString()))];
		};
		const [mine, reference] = [await observe(ours), await observe(theirs)];
		expect(mine).toEqual(reference);
		expect(mine).toMatchObject([200, { result: { kv: { value: base64("me") } } }]);
	});

	// etcdctl 3.4 knows no such comparison.
	test("comparisons with the lease of a key", async () => {
		const leased = { key: base64("leased"), value: base64("x"), lease: "78" };
		for (const [path, body] of [
			["/v3/lease/grant", { ID: "78", TTL: "600" }],
			["/v3/kv/put", leased],
			...(["EQUAL", "GREATER", "LESS", "NOT_EQUAL"] as const).flatMap((result) =>
				["77", "78", "79"].map((lease) => {
					const compare = [{ key: leased.key, target: "LEASE", result, lease }];
					return ["/v3/kv/txn", { compare, success: [{ request_range: { key: leased.key } }] }] as const;
				}),
			),
		] as const) {
			const [mine, reference] = await both(path, body);
			expect([body, mine]).toEqual([body, reference]);
			expect(mine.status).toBe(200);
		}
	});

	test("what is no message of its kind is refused with the same status and code, in other words; `error` says them again", async () => {
		for (const [path, body, message] of [
			["/v3/kv/range", { key: "Zm9v", limit: 1.5 }, "limit must be an integer"],
			["/v3/kv/range", { key: "Zm9v", limit: "x" }, "limit must be an integer"],
			["/v3/kv/range", { key: 5 }, "key must be base64"],
			["/v3/kv/range", { key: "Zm9v", keys_only: "yes" }, "keys_only must be true or false"],
			["/v3/kv/range", { key: "Zm9v", sort_order: "UP" }, "sort_order is no name and no number of its enum"],
			["/v3/kv/txn", { compare: {} }, "compare must be a list"],
		] as const) {
			const [mine, { status, body: theirBody }] = await both(path, body);
			expect(mine).toEqual({ status: 400, body: { error: message, code: 3, message } });
			expect([status, theirBody]).toEqual([400, { error: theirBody.message, code: 3, message: expect.any(String) }]);
		}
	});

	test("a whole number with a fraction of nothing is one, as in 3.6; so two members of one choice are refused", async () => {
		for (const limit of ["1.0", '"1.0"']) {
			const [whole, wholeInFour] = await both("/v3/kv/range", `{"key":"Zm9v","limit":${limit}}`);
			expect([limit, whole.status, whole.body.count, wholeInFour.status]).toEqual([limit, 200, "1", 400]);
		}
		const [two, twoInFour] = await both("/v3/kv/txn", '{"compare":[{"key":"Zm9v","version":1,"value":"YQ=="}]}');
		expect([two.status, two.body.code, twoInFour.status]).toEqual([400, 3, 200]);
	});
});
