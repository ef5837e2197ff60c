/** Whoever is refused at a limit hears etcd's words, which name no flag; the member's log names the limit, its value and the flag. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient, RpcError } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import type { LogLine } from "../src/process/member-process.ts";
import { eventually } from "../src/process/wait.ts";

const REQUEST_BYTES = 4_096;
const MESSAGE_BYTES = REQUEST_BYTES + (512 << 10);
const QUOTA_BYTES = 100_000;
const WORDS = "refused a client at a limit";

type Line = LogLine & Readonly<Record<string, unknown>>;

describe("limits", () => {
	let cluster: ProcessCluster;
	let client: KvClient;
	beforeAll(async () => {
		const limits = [`--max-request-bytes=${REQUEST_BYTES}`, "--max-txn-ops=2", `--quota-backend-bytes=${QUOTA_BYTES}`];
		cluster = await ProcessCluster.start({ size: 1, flags: [...limits, "--bcrypt-cost=4"] });
		client = new KvClient(cluster.endpoints[0] as string);
	});
	afterAll(async () => {
		client?.close();
		await cluster?.dispose();
	});

	async function told(limit: string): Promise<readonly Line[]> {
		const text = await readFile(cluster.member(0).process.spec.logFile, "utf8");
		const lines = text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
		return lines.filter((line) => line.msg === WORDS && line.limit === limit);
	}

	const put = (bytes: number): Promise<unknown> => client.put("k", "x".repeat(bytes));
	const fill = async (): Promise<never> => {
		for (let at = 0; ; at++) await client.put(`fill ${at}`, "x".repeat(REQUEST_BYTES - 100));
	};
	const guess = async (): Promise<never> => {
		const auth = (method: string, type: string, request: object): Promise<unknown> =>
			client.call("Auth", method, [`${type}Request`, `${type}Response`], request as Record<string, unknown>);
		await auth("UserAdd", "AuthUserAdd", { name: "root", password: "right" });
		await auth("RoleAdd", "AuthRoleAdd", { name: "root" });
		await auth("UserGrantRole", "AuthUserGrantRole", { user: "root", role: "root" });
		await auth("AuthEnable", "AuthEnable", {});
		for (let at = 0; ; at++) {
			await auth("Authenticate", "Authenticate", { name: "root", password: `wrong ${at}` }).catch((error: RpcError) => {
				if (!error.text.includes("authentication failed")) throw error;
			});
		}
	};
	const putOp = { request_put: { key: Buffer.from("k"), value: Buffer.from("v") } };

	// Users come last: from then on everything else is asked for a token.
	test.each<[limit: string, value: number, flag: string, path: string, ask: () => Promise<unknown>, code: number, text: string]>([
		[
			...(["bytes of a write request", REQUEST_BYTES, "--max-request-bytes", "/etcdserverpb.KV/Put", () => put(REQUEST_BYTES)] as const),
			...([3, "etcdserver: request is too large"] as const),
		],
		[
			...(["bytes of a message", MESSAGE_BYTES, "--max-request-bytes", "/etcdserverpb.KV/Put", () => put(MESSAGE_BYTES)] as const),
			...([8, `grpc: received message larger than max (${MESSAGE_BYTES + 7} vs. ${MESSAGE_BYTES})`] as const),
		],
		[
			...(["operations of a transaction", 2, "--max-txn-ops", "/etcdserverpb.KV/Txn"] as const),
			() => client.txn({ success: [putOp, putOp, putOp] }),
			...([3, "etcdserver: too many operations in txn request"] as const),
		],
		[
			...(["bytes of the store", QUOTA_BYTES, "--quota-backend-bytes", "/etcdserverpb.KV/Put", fill] as const),
			...([8, "etcdserver: mvcc: database space exceeded"] as const),
		],
		[
			...(["tries at the password of a user from one address", 10, "none", "/etcdserverpb.Auth/Authenticate", guess] as const),
			...([2, "etcdserver: too many requests"] as const),
		],
	])("%s: %d, %s", async (limit, value, flag, path, ask, code, text) => {
		expect(await told(limit)).toEqual([]);
		const refusal = await ask().catch((error: unknown) => error);
		expect(refusal).toBeInstanceOf(RpcError);
		expect(refusal).toMatchObject({ code, text });
		const [line] = await eventually("the line", async () => {
			const lines = await told(limit);
			expect(lines).not.toEqual([]);
			return lines;
		});
		expect(line).toMatchObject({ level: "warn", limit, value, flag, path, remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/), untold: 0 });
	});

	test("the JSON gateway's are told as well, one line a second at most", async () => {
		const body = JSON.stringify({ key: "a2V5", value: Buffer.alloc(MESSAGE_BYTES).toString("base64") });
		const before = (await told("bytes of a message")).length;
		let asked = 0;
		const lines = await eventually("a line that counts others", async () => {
			asked++;
			const { status } = await fetch(`${cluster.member(0).clientUrl}/v3/kv/put`, { method: "POST", body });
			expect(status).toBe(429);
			const found = (await told("bytes of a message")).slice(before);
			expect(found.some(({ untold }) => (untold as number) > 0)).toBe(true);
			return found;
		});
		expect(lines.length).toBeLessThan(asked);
		expect(lines.reduce((sum, { untold }) => sum + 1 + (untold as number), 0)).toBeLessThanOrEqual(asked);
	});
});
