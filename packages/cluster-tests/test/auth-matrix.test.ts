/**
 * Every call of the API by every sort of caller, at the leader and at a follower, over gRPC and through the gateway: what is
 * refused is what the rights of the caller say, in etcd's words. The calls are those of the method table.
 */
import { FAULTS, type FaultCode, METHODS, etcdserverpb as pb, type RpcPath } from "@flotilla/api";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { type CallerRights, type Case, LEASES, ROWS } from "./auth-matrix.rows.ts";

const CALLERS: readonly CallerRights[] = [
	{ name: "none", root: false, read: false, write: false },
	{ name: "garbage", root: false, read: false, write: false },
	{ name: "deleted", root: false, read: false, write: false },
	{ name: "idle", root: false, read: false, write: false },
	{ name: "reader", root: false, read: true, write: false },
	{ name: "writer", root: false, read: false, write: true },
	{ name: "both", root: false, read: true, write: true },
	{ name: "root", root: true, read: true, write: true },
	{ name: "operator", root: true, read: true, write: true },
];

/** Reached only by a call that is never answered, on a machine as busy as may be. */
const ANSWER_MS = 90_000;

/** What is about the caller; everything else came past the door. */
const ABOUT_CALLERS: readonly FaultCode[] = ["userEmpty", "invalidAuthToken", "permissionDenied", "authOldRevision", "userNotFound"];
const DISABLE = "/etcdserverpb.Auth/AuthDisable";

function expected(caller: CallerRights, { need }: Case): string {
	if (need === "open") return "came in";
	if (caller.name === "none") return need === "nothing" ? "came in" : FAULTS.userEmpty.text;
	if (caller.name === "garbage" || caller.name === "deleted") return FAULTS.invalidAuthToken.text;
	return isEnough(caller, need) ? "came in" : FAULTS.permissionDenied.text;
}

function isEnough(caller: CallerRights, need: Exclude<Case["need"], "open">): boolean {
	if (typeof need === "function") return need(caller);
	if (caller.root || need === "user" || need === "nothing") return true;
	if (need === "root" || need === "otherKeys") return false;
	return (need === "write" || caller.read) && (need === "read" || caller.write);
}

/** What became of a call, seen from its answer or its refusal. */
function verdictOf(text: string): string {
	if (text === "silence") return text;
	const about = ABOUT_CALLERS.map((code) => FAULTS[code].text).find((fault) => text.includes(fault));
	// Unknown users are named by calls that are about them, too: only those of administration say so of the caller.
	return about === undefined || about === FAULTS.userNotFound.text ? "came in" : about;
}

let cluster: ProcessCluster;
const clients: Client[] = [];
const tokens = new Map<string, string>();
let leaderAt = 0;

beforeAll(async () => {
	cluster = await ProcessCluster.start({ flags: ["--bcrypt-cost", "4"] });
	for (const endpoint of cluster.endpoints) clients.push(new Client(endpoint, credentials.createInsecure(), { "grpc.enable_retries": 0 }));
	await prepare();
}, 600_000);
afterAll(async () => {
	for (const client of clients) client.close();
	await cluster?.dispose();
});

async function prepare(): Promise<void> {
	const order = async (name: string, request: Uint8Array, token = ""): Promise<void> => {
		const answer = await unary(clients[0] as Client, `/etcdserverpb.Auth/${name}`, request, token);
		if (answer !== "") throw new Error(`${name}: ${answer}`);
	};
	const role = (name: string, permType: 0 | 1 | 2) =>
		pb.AuthRoleGrantPermissionRequest.encode({ name, perm: { permType, key: Buffer.from("m/"), rangeEnd: Buffer.from("m0") } });
	for (const [name, type] of [
		["reads", 0],
		["writes", 1],
		["both", 2],
		["unused", 2],
	] as const) {
		await order("RoleAdd", pb.AuthRoleAddRequest.encode({ name }));
		await order("RoleGrantPermission", role(name, type));
	}
	for (const [name, held] of [
		["deleted", "reads"],
		["idle", ""],
		["reader", "reads"],
		["writer", "writes"],
		["both", "both"],
		["root", "root"],
		["operator", "root"],
	] as const) {
		await order("UserAdd", pb.AuthUserAddRequest.encode({ name, password: `${name}'s` }));
		if (held !== "") await order("UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: name, role: held }));
	}
	await unary(clients[0] as Client, "/etcdserverpb.KV/Put", pb.PutRequest.encode({ key: Buffer.from("m/1"), value: Buffer.from("v") }), "");
	// Somebody who leads: an observer hears of him at once.
	const leader = pb.PutRequest.encode({ key: Buffer.from("m/election/1"), value: Buffer.from("v") });
	await unary(clients[0] as Client, "/etcdserverpb.KV/Put", leader, "");
	for (const [ID, key] of LEASES) {
		const { kv, lease } = { kv: "/etcdserverpb.KV/Put", lease: "/etcdserverpb.Lease/LeaseGrant" };
		await answerOf(clients[0] as Client, lease, pb.LeaseGrantRequest.encode({ ID, TTL: 3_600 }), "");
		await answerOf(clients[0] as Client, kv, pb.PutRequest.encode({ key: Buffer.from(key), value: Buffer.from("v"), lease: ID }), "");
	}
	await order("AuthEnable", new Uint8Array(0));
	for (const { name } of CALLERS.slice(2)) tokens.set(name, await logIn(name));
	tokens.set("garbage", "abcdefghijklmnopqrstuvwx.17");
	await order("UserDelete", pb.AuthUserDeleteRequest.encode({ name: "deleted" }), tokens.get("root"));
	const status = pb.StatusResponse.decode(
		await answerOf(clients[0] as Client, "/etcdserverpb.Maintenance/Status", new Uint8Array(0), tokens.get("root") ?? ""),
	);
	const ids = await Promise.all(
		clients.map(
			async (client) =>
				pb.StatusResponse.decode(await answerOf(client, "/etcdserverpb.Maintenance/Status", new Uint8Array(0), tokens.get("root") ?? ""))
					.header?.memberId,
		),
	);
	leaderAt = ids.indexOf(status.leader);
	if (leaderAt < 0) throw new Error(`${status.leader} leads and is none of ${ids.join(" ")}`);
	await cluster.caughtUp();
}

async function logIn(name: string): Promise<string> {
	const request = pb.AuthenticateRequest.encode({ name, password: `${name}'s` });
	return pb.AuthenticateResponse.decode(await answerOf(clients[1] as Client, "/etcdserverpb.Auth/Authenticate", request, "")).token;
}

function metadataOf(token: string): Metadata {
	const metadata = new Metadata();
	if (token !== "") metadata.set("token", token);
	return metadata;
}

const asIs = (bytes: Buffer): Buffer => bytes;

function answerOf(client: Client, path: string, request: Uint8Array, token: string): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const options = { deadline: Date.now() + ANSWER_MS };
		client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), metadataOf(token), options, (error: ServiceError | null, answer) =>
			error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
		);
	});
}

/** Empty, or the text of the refusal. */
async function unary(client: Client, path: string, request: Uint8Array, token: string): Promise<string> {
	return answerOf(client, path, request, token).then(
		() => "",
		(error: ServiceError) => error.details,
	);
}

/** Of a stream the first message counts, or its end. */
function stream(client: Client, path: string, request: Uint8Array, token: string): Promise<string> {
	return new Promise((resolve) => {
		const call = client.makeBidiStreamRequest(path, asIs, asIs, metadataOf(token), { deadline: Date.now() + ANSWER_MS });
		const finish = (text: string): void => {
			clearTimeout(silence);
			call.cancel();
			resolve(text);
		};
		const silence = setTimeout(() => finish("silence"), ANSWER_MS);
		call.on("data", (bytes: Buffer) => finish(path === "/etcdserverpb.Watch/Watch" ? pb.WatchResponse.decode(bytes).cancelReason : ""));
		call.on("error", (error: ServiceError) => finish(error.details));
		call.write(Buffer.from(request));
		if (METHODS.get(path)?.shape === "serverStream") call.end();
	});
}

async function throughGateway(memberUrl: string, path: string, request: Uint8Array, token: string): Promise<string> {
	const method = METHODS.get(path);
	if (method === undefined) throw new Error(`no such call: ${path}`);
	const body = method.request.encodeJson(method.request.decode(request));
	const headers: Record<string, string> = token === "" ? {} : { Authorization: token };
	const response = await fetch(`${memberUrl}${method.gatewayPaths[0]}`, { method: "POST", body, headers });
	const text = await response.text();
	return response.status === 200 ? "" : text;
}

describe("who may call what", () => {
	for (const [path, { shape, gatewayPaths }] of METHODS) {
		for (const each of ROWS[path as RpcPath]) {
			test(`${path.slice(1)} ${each.what ?? ""}`, async () => {
				const follower = (leaderAt + 1) % 3;
				const verdicts: Record<string, string> = {};
				const wanted: Record<string, string> = {};
				for (const caller of CALLERS) {
					const token = tokens.get(caller.name) ?? "";
					if (path === DISABLE && caller.root) continue;
					const ways: Array<readonly [string, () => Promise<string>]> = [leaderAt, follower].map((at) => [
						at === leaderAt ? "leader" : "follower",
						() => (shape === "unary" ? unary : stream)(clients[at] as Client, path, each.request, token),
					]);
					if (shape === "unary" && gatewayPaths.length > 0) {
						ways.push(["gateway", () => throughGateway(cluster.member(follower).clientUrl, path, each.request, token)]);
					}
					for (const [way, call] of ways) {
						const text = await call();
						const served = !text.includes("is not implemented in this version");
						verdicts[`${caller.name} at ${way}`] = served ? verdictOf(text) : "not served";
						wanted[`${caller.name} at ${way}`] = served ? expected(caller, each) : "not served";
					}
				}
				expect(verdicts).toEqual(wanted);
				// A call is served to all or to nobody.
				expect(new Set(Object.values(verdicts).map((verdict) => verdict === "not served")).size).toBe(1);
			});
		}
	}

	test("what the method table says of a call is what its row says", () => {
		for (const [path, { access }] of METHODS) {
			const needs = ROWS[path as RpcPath].map(({ need }) => need);
			const [first] = needs;
			if (access === "open") expect([path, first]).toEqual([path, "open"]);
			if (access === "root") expect([path, needs.every((need) => need === "root")]).toEqual([path, true]);
			if (access === "user") expect([path, needs.includes("open")]).toEqual([path, false]);
			if (access === "keyRead" || access === "keyWrite") expect([path, needs.every((need) => need === "root")]).toEqual([path, false]);
		}
	});

	test("root turns it off, and nobody is asked any more", async () => {
		expect(await unary(clients[2] as Client, DISABLE, new Uint8Array(0), tokens.get("root") ?? "")).toBe("");
		expect(await unary(clients[2] as Client, "/etcdserverpb.Maintenance/Hash", new Uint8Array(0), "")).toBe("");
		expect(await unary(clients[2] as Client, "/etcdserverpb.Auth/Authenticate", pb.AuthenticateRequest.encode({ name: "root" }), "")).toBe(
			FAULTS.authNotEnabled.text,
		);
	});
});
