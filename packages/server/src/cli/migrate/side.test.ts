/** What reaches which cluster, counted at servers that stand for members. */
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { type MessageType, etcdserverpb as pb } from "@flotilla/api";
import { afterEach, expect, test } from "vitest";
import type { Login } from "../login.ts";
import { Follower } from "./follow.ts";
import { LeaseMirror } from "./lease-mirror.ts";
import { RPC, type Rpc } from "./rpc.ts";
import { Side } from "./side.ts";

const [OURS, STRANGE] = [0xaan, 0xbbn];
const NO_ACCESS = { login: undefined, cacert: undefined, cert: undefined, key: undefined };
const KEY = { key: Buffer.from("k"), value: Buffer.from("v") };
const ANSWERS: Readonly<Record<string, MessageType<object>>> = {
	Status: pb.StatusResponse as MessageType<object>,
	Put: pb.PutResponse as MessageType<object>,
	Authenticate: pb.AuthenticateResponse as MessageType<object>,
};

/** Answers everything, and remembers what it was asked. */
class Member implements AsyncDisposable {
	readonly asked: string[] = [];
	/** Its status is for users only, as etcd from 3.6.9 has it. */
	guarded = false;
	memberId: bigint;
	/** Another member answers each time but the first. */
	alternates = false;
	raftIndex = 7;
	private readonly server: Http2Server;
	private readonly sessions = new Set<ServerHttp2Session>();
	private readonly clusterId: bigint;

	private constructor(clusterId: bigint) {
		this.clusterId = clusterId;
		this.memberId = BigInt(++members);
		this.server = createServer();
		this.server.on("session", (session) => void this.sessions.add(session));
		this.server.on("stream", (stream, headers) => {
			const method = String(headers[":path"]).split("/").at(-1) ?? "";
			this.asked.push(method);
			stream.on("error", () => {});
			stream.resume().on("end", () => this.answer(stream, method, headers.token !== undefined));
		});
	}

	static async start(clusterId: bigint, port = 0): Promise<Member> {
		const made = new Member(clusterId);
		await new Promise<void>((resolve, reject) => void made.server.once("error", reject).listen(port, "127.0.0.1", resolve));
		running.push(made);
		return made;
	}

	get port(): number {
		return (this.server.address() as AddressInfo).port;
	}

	get endpoint(): string {
		return `127.0.0.1:${this.port}`;
	}

	cutConnections(): void {
		for (const session of this.sessions) session.destroy();
		this.sessions.clear();
	}

	async stop(): Promise<void> {
		const closed = new Promise((resolve) => this.server.close(resolve));
		this.cutConnections();
		await closed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.server.listening) await this.stop();
	}

	private answer(stream: ServerHttp2Stream, method: string, hasToken: boolean): void {
		const refused = this.guarded && !hasToken && method !== "Authenticate";
		stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
		const trailers = refused ? { "grpc-status": "3", "grpc-message": "etcdserver: user name is empty" } : { "grpc-status": "0" };
		stream.on("wantTrailers", () => stream.sendTrailers(trailers));
		const type = ANSWERS[method];
		if (refused || type === undefined) return void stream.end();
		const header = { clusterId: this.clusterId, memberId: this.memberId, revision: 1, raftTerm: 1 };
		if (this.alternates) this.memberId++;
		const message = type.encode({ header, token: "token", raftTerm: 1, raftIndex: this.raftIndex } as object);
		const frame = Buffer.alloc(5);
		frame.writeUInt32BE(message.length, 1);
		stream.end(Buffer.concat([frame, message]));
	}
}

let members = 0;
const running: Member[] = [];
const sides: Side[] = [];
afterEach(async () => {
	for (const side of sides.splice(0)) side.drop();
	for (const member of running.splice(0)) await member[Symbol.asyncDispose]();
});

function side(endpoints: readonly string[], told: string[] = [], login?: Login): Side {
	const made = new Side("target", endpoints, { ...NO_ACCESS, login }, (line) => told.push(line));
	sides.push(made);
	return made;
}

async function nobody(): Promise<string> {
	const server = createTcpServer();
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => void server.close(resolve));
	return `127.0.0.1:${port}`;
}

test("every endpoint is asked before anything is done: those of different clusters are named, with what they are of", async () => {
	const [one, other, strange] = [await Member.start(OURS), await Member.start(OURS), await Member.start(STRANGE)];
	const all = side([one.endpoint, other.endpoint, strange.endpoint]);
	await expect(all.meet()).rejects.toThrow(/^the target's endpoints are of different clusters, so nothing was done: /);
	await expect(all.meet()).rejects.toThrow(`${strange.endpoint} of bb`);
	await expect(all.meet()).rejects.toThrow(`${other.endpoint} of aa`);
	for (const member of [one, other, strange]) expect(member.asked).toEqual(["Status", "Status", "Status"]);
});

test("members of clusters that were started alike are told apart by how far they are; one member may have two names", async () => {
	const [one, twin] = [await Member.start(OURS), await Member.start(OURS)];
	twin.memberId = one.memberId;
	for (const raftIndex of [6, 8]) {
		twin.raftIndex = raftIndex;
		await expect(side([one.endpoint, twin.endpoint]).meet()).rejects.toThrow(
			/ are of different clusters that were started alike, both aa, so nothing was done$/,
		);
	}
	// Members behind one name by turns are several of one cluster.
	twin.raftIndex = 6;
	twin.alternates = true;
	await side([one.endpoint, twin.endpoint]).meet();
	await side([one.endpoint, one.endpoint.replace("127.0.0.1", "localhost")]).meet();
	expect(new Set([...one.asked, ...twin.asked])).toEqual(new Set(["Status"]));
});

test("one that does not answer is told of; when its turn comes it is asked first, and a stranger is asked for nothing else", async () => {
	const strange = await Member.start(STRANGE);
	const { port } = strange;
	await strange.stop();
	const ours = await Member.start(OURS);
	const told: string[] = [];
	const target = side([ours.endpoint, `127.0.0.1:${port}`], told);
	await target.meet();
	expect([target.clusterId, told]).toEqual([OURS, [expect.stringContaining(`the target's endpoint 127.0.0.1:${port} does not answer`)]]);
	await target.call(RPC.put, KEY);
	const back = await Member.start(STRANGE, port);
	await ours.stop();
	await expect(target.call(RPC.put, KEY)).rejects.toThrow(
		`the target's endpoint 127.0.0.1:${port} is of another cluster: bb, where the others are of aa`,
	);
	expect([ours.asked, back.asked]).toEqual([["Status", "Status", "Put"], ["Status"]]);
});

test("whoever is behind the same address after a reconnect is asked first", async () => {
	const ours = await Member.start(OURS);
	const { port } = ours;
	const target = side([ours.endpoint]);
	await target.meet();
	await target.call(RPC.put, KEY);
	ours.cutConnections();
	await target.call(RPC.put, KEY);
	expect(ours.asked).toEqual(["Status", "Status", "Put", "Status", "Put"]);
	await ours.stop();
	const strange = await Member.start(STRANGE, port);
	await expect(target.call(RPC.put, KEY)).rejects.toThrow("is of another cluster: bb, where the others are of aa");
	expect(strange.asked).toEqual(["Status"]);
});

test("a client that somebody still holds does not dial anew by itself", async () => {
	const ours = await Member.start(OURS);
	const target = side([ours.endpoint]);
	const client = await target.connected();
	await client.call(RPC.put.path, RPC.put, KEY);
	ours.cutConnections();
	for (let tries = 0; tries < 5; tries++) await expect(client.call(RPC.put.path, RPC.put, KEY)).rejects.toThrow(/UNAVAILABLE/);
	const stream = client.stream(RPC.keepAlive.path, RPC.keepAlive);
	const ended = new Promise((resolve) => void stream.on("error", resolve));
	stream.write({ ID: 1n });
	stream.resume();
	expect(await ended).toMatchObject({ code: 14 });
	expect(ours.asked).toEqual(["Status", "Put"]);
});

test("a watch and renewals of leases go nowhere else either", async () => {
	const strange = await Member.start(STRANGE);
	const [source, target] = [new Granting("source", [strange.endpoint], NO_ACCESS), new Granting("target", [strange.endpoint], NO_ACCESS)];
	sides.push(source, target);
	const leases = new LeaseMirror(source, target);
	const follower = new Follower(source, target, leases, 4);
	follower.endAt(9);
	await expect(follower.run()).rejects.toThrow("is of another cluster: bb, where the others are of aa");
	expect(strange.asked).toEqual(["Status"]);
	await leases.ensure(7n);
	leases.start();
	await expect.poll(() => reasonOf(() => leases.assertWell()), { timeout: 60_000 }).toContain("is of another cluster");
	leases.stop();
	expect(strange.asked.length).toBeGreaterThan(1);
	expect(new Set(strange.asked)).toEqual(new Set(["Status"]));
});

/** Its calls are answered without anybody, so that leases are there to be renewed; its streams go to its endpoint. */
class Granting extends Side {
	override clusterId: bigint | null = OURS;

	override call<Q extends object, R extends object>({ response }: Rpc<Q, R>): Promise<R> {
		return Promise.resolve(response.create({ TTL: 1, grantedTTL: 1 } as unknown as Partial<R>));
	}
}

function reasonOf(work: () => void): string {
	try {
		work();
		return "";
	} catch (error) {
		return (error as Error).message;
	}
}

test("a password goes to no stranger that says who it is; one that tells users only is asked again behind the login", async () => {
	const login = { name: "root", password: "pw" };
	const [ours, strange] = [await Member.start(OURS), await Member.start(STRANGE)];
	const target = side([ours.endpoint, strange.endpoint], [], login);
	await expect(target.meet()).rejects.toThrow("of different clusters");
	expect([ours.asked, strange.asked]).toEqual([["Status"], ["Status"]]);
	ours.guarded = true;
	const guarded = side([ours.endpoint], [], login);
	await guarded.meet();
	await guarded.call(RPC.put, KEY);
	expect(ours.asked.slice(1)).toEqual(["Status", "Authenticate", "Status", "Status", "Authenticate", "Status", "Put"]);
});

test("a cluster that has no answer yet is whatever answers first; one without an id is nobody", async () => {
	const gone = await nobody();
	const told: string[] = [];
	const target = side([gone], told);
	await target.meet();
	expect([target.clusterId, told.length]).toEqual([null, 1]);
	const nameless = await Member.start(0n);
	await expect(side([nameless.endpoint]).meet()).rejects.toThrow("does not say which cluster it is of");
});
