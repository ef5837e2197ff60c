/** The JSON gateway on the client port, call by call beside etcd's own. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { haveProgram } from "../src/process/tools.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Path and body; each goes to another member than the one before. */
const CALLS: ReadonlyArray<readonly [string, unknown]> = [
	["/v3/kv/put", { key: base64("foo"), value: base64("bar") }],
	["/v3/kv/put", { key: base64("foo"), value: base64("baz"), prev_kv: true }],
	["/v3/kv/range", { key: base64("foo") }],
	["/v3/kv/range", { key: base64("foo"), revision: "2" }],
	["/v3/kv/range", { key: base64("nothing") }],
	["/v3/kv/range", { key: "AA==", range_end: "AA==", count_only: true }],
	["/v3/kv/range", { key: base64("f"), range_end: base64("g"), sort_order: "DESCEND", sort_target: "MOD", limit: 1 }],
	[
		"/v3/kv/txn",
		{
			compare: [{ key: base64("foo"), target: "VERSION", result: "EQUAL", version: "2" }],
			success: [{ request_put: { key: base64("t"), value: base64("1") } }, { request_range: { key: base64("t") } }],
			failure: [],
		},
	],
	["/v3/kv/deleterange", { key: base64("t"), prev_kv: true }],
	["/v3/kv/compaction", { revision: 3 }],
];

describe.skipIf(!haveProgram("etcd"))("the JSON gateway beside etcd's (needs Debian's etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;
	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start({ flags: STAYS }), ProcessCluster.start({ program: "etcd", flags: STAYS })]);
	});
	afterAll(async () => {
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	const post = async (
		cluster: ProcessCluster,
		at: number,
		path: string,
		body: string,
		headers: Record<string, string> = {},
	): Promise<{ status: number; text: string }> => {
		const response = await fetch(`${cluster.member(at % 3).clientUrl}${path}`, { method: "POST", body, headers });
		return { status: response.status, text: await response.text() };
	};

	for (const [at, [path, body]] of CALLS.entries()) {
		test(`${at}: ${path} ${JSON.stringify(body)}`, async () => {
			await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
			const [mine, reference] = await Promise.all([
				post(ours, at, path, JSON.stringify(body)),
				post(theirs, at, path, JSON.stringify(body)),
			]);
			expect(reference.status).toBe(200);
			expect({ status: mine.status, answer: JSON.parse(normaliseOutput(mine.text)) }).toEqual({
				status: reference.status,
				answer: JSON.parse(normaliseOutput(reference.text)),
			});
		});
	}

	test("refusals carry etcd's code and text", async () => {
		for (const [path, body] of [
			["/v3/kv/put", { value: base64("no key") }],
			["/v3/kv/range", { key: base64("foo"), revision: "999" }],
			["/v3/kv/range", { key: base64("foo"), revision: "2" }],
		] as const) {
			const [mine, reference] = await Promise.all([post(ours, 1, path, JSON.stringify(body)), post(theirs, 1, path, JSON.stringify(body))]);
			const [{ code, message }, wanted] = [JSON.parse(mine.text), JSON.parse(reference.text)] as [Refusal, Refusal];
			expect({ status: mine.status, code, message }).toEqual({ status: reference.status, code: wanted.code, message: wanted.message });
		}
	});

	describe("with users and roles", () => {
		/** Each goes to another member. `as`: whose token it bears. */
		const AUTH_CALLS: ReadonlyArray<readonly [path: string, body: unknown, as?: string]> = [
			["/v3/auth/role/add", { name: "r" }],
			["/v3/auth/role/grant", { name: "r", perm: { permType: "READWRITE", key: base64("a"), range_end: base64("b") } }],
			["/v3/auth/role/grant", { name: "r", perm: { key: base64("c") } }],
			["/v3/auth/role/get", { role: "r" }],
			["/v3/auth/role/revoke", { role: "r", key: base64("c") }],
			["/v3/auth/role/list", {}],
			["/v3/auth/user/add", { name: "root", password: "rootpw" }],
			["/v3/auth/user/add", { name: "ann", password: "annpw" }],
			["/v3/auth/user/grant", { user: "root", role: "root" }],
			["/v3/auth/user/grant", { user: "ann", role: "r" }],
			["/v3/auth/user/get", { name: "ann" }],
			["/v3/auth/user/list", {}],
			["/v3/auth/enable", {}],
			["/v3/kv/put", { key: base64("a1"), value: base64("v") }, "ann"],
			["/v3/kv/range", { key: base64("a"), range_end: base64("b") }, "ann"],
			["/v3/auth/user/changepw", { name: "ann", password: "annpw2" }, "root"],
			["/v3/auth/user/revoke", { name: "ann", role: "r" }, "root"],
			["/v3/auth/role/delete", { role: "r" }, "root"],
			["/v3/auth/user/delete", { name: "ann" }, "root"],
		];
		const REFUSED: typeof AUTH_CALLS = [
			["/v3/kv/put", { key: base64("a1"), value: base64("v") }],
			["/v3/auth/user/list", {}],
			["/v3/auth/authenticate", { name: "root", password: "wrong" }],
			["/v3/auth/user/get", { name: "nobody" }, "root"],
		];

		const tokens = new Map<ProcessCluster, Map<string, string>>();
		const logIn = async (cluster: ProcessCluster, name: string): Promise<string> => {
			const known = tokens.get(cluster) ?? new Map<string, string>();
			tokens.set(cluster, known);
			let token = known.get(name);
			if (token === undefined) {
				const { text } = await post(cluster, 1, "/v3/auth/authenticate", JSON.stringify({ name, password: `${name}pw` }));
				token = (JSON.parse(text) as { token: string }).token;
				known.set(name, token);
			}
			return token;
		};
		const both = (at: number, path: string, body: unknown, as?: string) =>
			Promise.all(
				[ours, theirs].map(async (cluster) => {
					const headers: Record<string, string> = as === undefined ? {} : { Authorization: await logIn(cluster, as) };
					await cluster.caughtUp();
					return post(cluster, at, path, JSON.stringify(body), headers);
				}),
			) as Promise<[{ status: number; text: string }, { status: number; text: string }]>;

		for (const [at, [path, body, as]] of AUTH_CALLS.entries()) {
			test(`${at}: ${path} ${JSON.stringify(body)}`, async () => {
				const [mine, reference] = await both(at, path, body, as);
				expect(reference.status).toBe(200);
				expect({ status: mine.status, answer: JSON.parse(normaliseOutput(mine.text)) }).toEqual({
					status: 200,
					answer: JSON.parse(normaliseOutput(reference.text)),
				});
			});
		}

		for (const [at, [path, body, as]] of REFUSED.entries()) {
			test(`refused: ${path} ${JSON.stringify(body)}`, async () => {
				const [mine, reference] = await both(at, path, body, as);
				const [{ code, message }, wanted] = [JSON.parse(mine.text), JSON.parse(reference.text)] as [Refusal, Refusal];
				// etcd 3.4 shows a failed precondition as 412, 3.6 as 400.
				expect({ status: mine.status, code, message }).toEqual({
					status: reference.status === 412 ? 400 : reference.status,
					code: wanted.code,
					message: wanted.message,
				});
			});
		}

		test("a token with Bearer before it is good, too, and a token that is none is told from none", async () => {
			const bearer = { Authorization: `Bearer ${await logIn(ours, "root")}` };
			expect((await post(ours, 0, "/v3/auth/status", "{}", bearer)).status).toBe(200);
			expect(JSON.parse((await post(ours, 0, "/v3/auth/status", "{}", { Authorization: "none" })).text)).toMatchObject({ code: 16 });
			expect((await post(ours, 2, "/v3/auth/disable", "{}", bearer)).status).toBe(200);
			expect(JSON.parse((await post(ours, 2, "/v3/auth/status", "{}")).text)).toMatchObject({ authRevision: "14" });
		});
	});

	test("what is no JSON is refused, and costs the neighbours nothing", async () => {
		expect((await post(ours, 0, "/v3/kv/put", "{nonsense")).status).toBe(400);
		expect((await post(ours, 0, "/v3/nothing/here", "{}")).status).toBe(404);
		expect((await post(ours, 0, "/v3/kv/range", JSON.stringify({ key: base64("foo") }))).status).toBe(200);
	});
});

interface Refusal {
	readonly code: number;
	readonly message: string;
}
