/** WebSockets at the JSON gateway, dialogue by dialogue beside etcd's own; then what ours does beyond it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { GatewaySocket } from "../src/client/gateway-socket.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { haveProgram } from "../src/process/tools.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const watch = (key: string, more: object = {}): object => ({ create_request: { key: base64(key), ...more } });
/** A step of a dialogue: said on the socket, put beside it, or so many messages heard. */
type Step = { readonly say: unknown } | { readonly put: readonly [string, string] } | { readonly hear: number };
const say = (message: unknown): Step => ({ say: message });
const put = (key: string, value: string): Step => ({ put: [key, value] });
const hear = (count: number): Step => ({ hear: count });

interface Dialogue {
	readonly name: string;
	readonly path: string;
	readonly steps: readonly Step[];
	/** The server closes the socket behind it. */
	readonly closes?: boolean;
}

const DIALOGUES: readonly Dialogue[] = [
	{
		name: "a watch that is asked for, hears two changes and is canceled",
		path: "/v3/watch",
		steps: [
			...[say(watch("foo", { prev_kv: true })), hear(1), put("foo", "1"), hear(1), put("foo", "2"), hear(1)],
			...[say({ cancel_request: { watch_id: "0" } }), hear(1)],
		],
	},
	{ name: "two watches on one socket", path: "/v3/watch", steps: [say(watch("a")), say(watch("b")), hear(2), put("b", "x"), hear(1)] },
	{ name: "two requests in one message", path: "/v3/watch", steps: [say(JSON.stringify(watch("a")).repeat(2)), hear(2)] },
	{ name: "an empty message before the first request", path: "/v3/watch", steps: [say(""), say(watch("a")), hear(1)] },
	{ name: "the old prefix", path: "/v3beta/watch", steps: [say(watch("a")), hear(1)] },
	{ name: "the past", path: "/v3/watch", steps: [put("past", "1"), say(watch("past", { start_revision: 1 })), hear(2)] },
	{ name: "renewals of leases that are none", path: "/v3/lease/keepalive", steps: [say({ ID: "7" }), hear(1), say({ ID: "8" }), hear(1)] },
	{ name: "a put", path: "/v3/kv/put", steps: [say({ key: base64("p"), value: base64("1") }), hear(1)], closes: true },
	{ name: "a range", path: "/v3/kv/range", steps: [say({ key: base64("p") }), hear(1)], closes: true },
	{ name: "a put that is refused", path: "/v3/kv/put", steps: [say({ value: base64("1") }), hear(1)], closes: true },
	{ name: "a range of the future", path: "/v3/kv/range", steps: [say({ key: base64("p"), revision: "999" }), hear(1)], closes: true },
];

/** Everything that was heard, made comparable. */
async function talk(cluster: ProcessCluster, { path, steps, closes = false }: Dialogue): Promise<unknown[]> {
	const url = cluster.member(0).clientUrl;
	const socket = new GatewaySocket(url, path);
	const heard: unknown[] = [];
	for (const step of steps) {
		if ("say" in step) await socket.say(step.say);
		else if ("put" in step) {
			const [key, value] = step.put.map(base64);
			await fetch(`${url}/v3/kv/put`, { method: "POST", body: JSON.stringify({ key, value }) });
		} else {
			for (let at = 0; at < step.hear; at++) {
				const message = await socket.hear();
				heard.push(message === null ? null : JSON.parse(normaliseOutput(message)));
			}
		}
	}
	if (closes) {
		expect(await socket.hear()).toBeNull();
	} else {
		socket.leave();
		expect(await socket.closed).toBe(1_000);
	}
	return heard;
}

describe.skipIf(!haveProgram("etcd"))("WebSockets beside etcd's (needs Debian's etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;
	beforeAll(async () => {
		[ours, theirs] = await Promise.all([
			ProcessCluster.start({ size: 1, flags: ["--bcrypt-cost=4"] }),
			ProcessCluster.start({ size: 1, program: "etcd", flags: ["--bcrypt-cost=4"] }),
		]);
	});
	afterAll(async () => {
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	test.each(DIALOGUES)("$name", async (dialogue) => {
		const [mine, reference] = await Promise.all([talk(ours, dialogue), talk(theirs, dialogue)]);
		expect(reference).not.toContain(null);
		expect(mine).toEqual(reference);
	});

	describe("with users", () => {
		const post = async (cluster: ProcessCluster, path: string, body: object): Promise<{ token?: string }> => {
			const response = await fetch(`${cluster.member(0).clientUrl}${path}`, { method: "POST", body: JSON.stringify(body) });
			return (await response.json()) as { token?: string };
		};
		let tokens: [string, string];
		beforeAll(async () => {
			tokens = (await Promise.all(
				[ours, theirs].map(async (cluster) => {
					for (const name of ["root", "ann"]) await post(cluster, "/v3/auth/user/add", { name, password: "pw" });
					await post(cluster, "/v3/auth/user/grant", { user: "root", role: "root" });
					await post(cluster, "/v3/auth/role/add", { name: "r" });
					await post(cluster, "/v3/auth/role/grant", { name: "r", perm: { permType: "READ", key: base64("ann's") } });
					await post(cluster, "/v3/auth/user/grant", { user: "ann", role: "r" });
					await post(cluster, "/v3/auth/enable", {});
					return (await post(cluster, "/v3/auth/authenticate", { name: "ann", password: "pw" })).token as string;
				}),
			)) as [string, string];
		});

		const heardBy = async (
			cluster: ProcessCluster,
			key: string,
			protocols: string[],
			headers: Record<string, string>,
		): Promise<unknown> => {
			const socket = new GatewaySocket(cluster.member(0).clientUrl, "/v3/watch", protocols, { headers });
			await socket.say(watch(key));
			const message = (await socket.hear()) as string;
			socket.end();
			return JSON.parse(normaliseOutput(message));
		};
		test.each<[string, string[]]>([
			["no token", []],
			["one that is none", ["Bearer", "abc.1"]],
		])("a watch with %s is refused in the same words", async (_name, protocols) => {
			for (const key of ["ann's", "other"]) {
				const [mine, reference] = await Promise.all([ours, theirs].map((cluster) => heardBy(cluster, key, protocols, {})));
				expect(mine).toMatchObject({ result: { canceled: true } });
				expect(withoutWords(mine)).toEqual(withoutWords(reference));
			}
		});

		// etcd 3.4 takes a token behind the word `Bearer` for another one, so there nobody gets in by a WebSocket.
		test.each<[string, (token: string) => [string[], Record<string, string>]]>([
			["a protocol", (token) => [["Bearer", token], {}]],
			["a cookie", (token) => [[], { cookie: `token=${token}` }]],
			["the header", (token) => [[], { authorization: token }]],
			["the header with Bearer", (token) => [[], { authorization: `Bearer ${token}` }]],
		])("a token by %s lets its user watch what is his", async (_name, way) => {
			const theirsToo = await heardBy(theirs, "ann's", ...way(tokens[1]));
			expect(theirsToo).toMatchObject({ result: { canceled: true } });
			expect(await heardBy(ours, "ann's", ...way(tokens[0]))).toEqual({
				result: { header: expect.anything(), created: true },
			});
			expect(withoutWords(await heardBy(ours, "other", ...way(tokens[0])))).toMatchObject({
				result: { canceled: true, cancel_reason: "etcdserver: permission denied" },
			});
		});
	});
});

/** Reasons of refusals have the library's words before them in 3.4. */
function withoutWords(heard: unknown): unknown {
	return JSON.parse(JSON.stringify(heard).replace(/rpc error: code = \w+ desc = /, ""));
}

describe("a member with WebSockets", () => {
	const sockets: GatewaySocket[] = [];
	afterEach(() => {
		for (const socket of sockets.splice(0)) socket.end();
	});

	test("ends watches with a word when it stops, and is not held up by them", async () => {
		const cluster = await ProcessCluster.start({ size: 1 });
		try {
			const url = cluster.member(0).clientUrl;
			const [watching, idle] = [new GatewaySocket(url, "/v3/watch"), new GatewaySocket(url, "/v3/kv/put")];
			sockets.push(watching, idle);
			await watching.say(watch("a"));
			expect(JSON.parse((await watching.hear()) as string)).toMatchObject({ result: { created: true } });
			await idle.say("");
			await cluster.member(0).process.kill("SIGTERM");
			expect([await watching.closed, await idle.closed]).toEqual([1_000, 1_001]);
			expect(JSON.parse((await watching.hear()) as string)).toMatchObject({ error: { code: 14 } });
		} finally {
			await cluster.dispose();
		}
	});
});
