/** A cluster with the users, keys and leases of the matrix, and the ways to call it: at the leader, at a follower, through the gateway. */
import { readFileSync } from "node:fs";
import { METHODS, type MethodShape, etcdserverpb as pb } from "@flotilla/api";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { NAMED } from "../src/client/channel.ts";
import { GatewaySocket } from "../src/client/gateway-socket.ts";
import type { Certificates } from "../src/process/certificates.ts";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { ask } from "../src/process/request.ts";
import { BARE, type MatrixCaller } from "./auth-matrix.callers.ts";
import { LEASES } from "./auth-matrix.rows.ts";

/** Reached only by a call that is never answered, on a machine as busy as may be. */
const ANSWER_MS = 90_000;
const EMPTY = new Uint8Array(0);
const STATUS = "/etcdserverpb.Maintenance/Status";
const asIs = (bytes: Buffer): Buffer => bytes;

export type Way = "leader" | "follower" | "gateway" | "socket";

export interface HouseOptions {
	readonly size: number;
	readonly flags?: readonly string[];
	/** Callers come with certificates of the authority `ca`. */
	readonly certificates?: Certificates;
}

export class House {
	readonly cluster: ProcessCluster;
	/** By the name of what holds it. */
	readonly tokens = new Map<string, string>([["", ""]]);
	private readonly certificates: Certificates | undefined;
	/** By certificate and member. */
	private readonly clients = new Map<string, Client>();
	private leaderAt = 0;

	private constructor(cluster: ProcessCluster, certificates: Certificates | undefined) {
		this.cluster = cluster;
		this.certificates = certificates;
	}

	/** `made` hears when users are there and authentication is on, before one of them is deleted. */
	static async open({ size, flags = [], certificates }: HouseOptions, made: (house: House) => Promise<void>): Promise<House> {
		const tls = certificates === undefined ? {} : { tls: certificates.files("server", "ca") };
		const cluster = await ProcessCluster.start({ size, flags: ["--bcrypt-cost", "4", ...STAYS, ...flags], ...tls });
		const house = new House(cluster, certificates);
		try {
			await house.furnish();
			await made(house);
			await house.order("UserDelete", pb.AuthUserDeleteRequest.encode({ name: "deleted" }), await house.logIn("root"));
			await house.findLeader();
			await cluster.caughtUp();
		} catch (error) {
			await house.close();
			throw error;
		}
		return house;
	}

	async close(): Promise<void> {
		for (const client of this.clients.values()) client.close();
		await this.cluster.dispose();
	}

	async logIn(name: string): Promise<string> {
		const request = pb.AuthenticateRequest.encode({ name, password: `${name}'s` });
		return pb.AuthenticateResponse.decode(await this.answer("/etcdserverpb.Auth/Authenticate", request)).token;
	}

	/** Empty, or the text of the refusal. */
	call(way: Way, caller: MatrixCaller, path: string, request: Uint8Array): Promise<string> {
		const shape = METHODS.get(path)?.shape ?? "unary";
		const follower = (this.leaderAt + 1) % this.cluster.members.length;
		if (way === "gateway") return this.post(follower, caller, path, request, shape);
		if (way === "socket") return this.converse(follower, caller, path, request);
		const at = way === "leader" ? this.leaderAt : follower;
		return shape === "unary" ? this.unary(at, caller, path, request) : this.stream(at, caller, path, request, shape);
	}

	tokenOf({ token }: MatrixCaller): string {
		const known = this.tokens.get(token);
		if (known === undefined) throw new Error(`no token for ${token}`);
		return known;
	}

	private async furnish(): Promise<void> {
		const role = (name: string, permType: 0 | 1 | 2) =>
			pb.AuthRoleGrantPermissionRequest.encode({ name, perm: { permType, key: Buffer.from("m/"), rangeEnd: Buffer.from("m0") } });
		for (const [name, type] of [
			["reads", 0],
			["writes", 1],
			["both", 2],
			["unused", 2],
		] as const) {
			await this.order("RoleAdd", pb.AuthRoleAddRequest.encode({ name }));
			await this.order("RoleGrantPermission", role(name, type));
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
			await this.order("UserAdd", pb.AuthUserAddRequest.encode({ name, password: `${name}'s` }));
			if (held !== "") await this.order("UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: name, role: held }));
		}
		// The second is somebody who leads: an observer hears of him at once.
		for (const key of ["m/1", "m/election/1"]) await this.put(key, 0n);
		for (const [ID, key] of LEASES) {
			await this.answer("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest.encode({ ID, TTL: 3_600 }));
			await this.put(key, ID);
		}
		await this.order("AuthEnable", EMPTY);
	}

	private async findLeader(): Promise<void> {
		const token = await this.logIn("root");
		const answers = await Promise.all(this.cluster.members.map((_, at) => this.answer(STATUS, EMPTY, { at, token })));
		const all = answers.map((answer) => pb.StatusResponse.decode(answer));
		this.leaderAt = all.findIndex(({ header, leader }) => header?.memberId === leader);
		if (this.leaderAt < 0) throw new Error("none of them leads");
	}

	private async put(key: string, lease: bigint): Promise<void> {
		await this.answer("/etcdserverpb.KV/Put", pb.PutRequest.encode({ key: Buffer.from(key), value: Buffer.from("v"), lease }));
	}

	private async order(name: string, request: Uint8Array, token = ""): Promise<void> {
		await this.answer(`/etcdserverpb.Auth/${name}`, request, { token });
	}

	private client(at: number, certificate: string): Client {
		const key = `${at}/${certificate}`;
		let client = this.clients.get(key);
		if (client === undefined) {
			const named = this.certificates === undefined ? {} : NAMED;
			client = new Client(this.cluster.endpoints[at] as string, this.channel(certificate), { "grpc.enable_retries": 0, ...named });
			this.clients.set(key, client);
		}
		return client;
	}

	private channel(certificate: string): ReturnType<typeof credentials.createInsecure> {
		if (this.certificates === undefined) return credentials.createInsecure();
		const { ca, key, cert } = this.pem(certificate);
		return credentials.createSsl(ca, key, cert);
	}

	private pem(certificate: string): { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } | Record<string, never> {
		if (this.certificates === undefined) return {};
		const { ca, cert, key } = this.certificates.files(certificate, "ca");
		return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
	}

	private answer(path: string, request: Uint8Array, { at = 0, token = "", certificate = BARE } = {}): Promise<Buffer> {
		return new Promise((resolve, reject) => {
			const options = { deadline: Date.now() + ANSWER_MS };
			this.client(at, certificate).makeUnaryRequest<Buffer, Buffer>(
				...([path, asIs, asIs, Buffer.from(request), metadataOf(token), options] as const),
				(error: ServiceError | null, answer) => (error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error)),
			);
		});
	}

	private unary(at: number, caller: MatrixCaller, path: string, request: Uint8Array): Promise<string> {
		return this.answer(path, request, { at, token: this.tokenOf(caller), certificate: caller.certificate }).then(
			() => "",
			(error: ServiceError) => error.details,
		);
	}

	/** Of a stream the first message counts, or its end. */
	private stream(at: number, caller: MatrixCaller, path: string, request: Uint8Array, shape: MethodShape): Promise<string> {
		return new Promise((resolve) => {
			const client = this.client(at, caller.certificate);
			const call = client.makeBidiStreamRequest(path, asIs, asIs, metadataOf(this.tokenOf(caller)), { deadline: Date.now() + ANSWER_MS });
			const finish = (text: string): void => {
				clearTimeout(silence);
				call.cancel();
				resolve(text);
			};
			const silence = setTimeout(() => finish("silence"), ANSWER_MS);
			call.on("data", (bytes: Buffer) => finish(path === "/etcdserverpb.Watch/Watch" ? pb.WatchResponse.decode(bytes).cancelReason : ""));
			call.on("error", (error: ServiceError) => finish(error.details));
			call.write(Buffer.from(request));
			if (shape === "serverStream") call.end();
		});
	}

	private async post(at: number, caller: MatrixCaller, path: string, request: Uint8Array, shape: MethodShape): Promise<string> {
		const token = this.tokenOf(caller);
		const tls = this.certificates === undefined ? {} : { tls: this.certificates.files(caller.certificate, "ca") };
		const { status, text } = await ask(`${this.cluster.member(at).clientUrl}${gatewayPath(path)}`, {
			headers: token === "" ? {} : { Authorization: token },
			body: jsonOf(path, request),
			lines: shape === "unary" ? 0 : 1,
			...tls,
		});
		if (status !== 200) return text;
		return shape === "unary" ? "" : refusalIn(text);
	}

	private async converse(at: number, caller: MatrixCaller, path: string, request: Uint8Array): Promise<string> {
		const token = this.tokenOf(caller);
		const { clientUrl } = this.cluster.member(at);
		const socket = new GatewaySocket(clientUrl, gatewayPath(path), token === "" ? [] : ["Bearer", token], this.pem(caller.certificate));
		await socket.say(jsonOf(path, request));
		const line = await socket.hear();
		socket.end();
		return line === null ? "silence" : refusalIn(line);
	}
}

function gatewayPath(path: string): string {
	return METHODS.get(path)?.gatewayPaths[0] ?? "";
}

function jsonOf(path: string, request: Uint8Array): string {
	const codec = METHODS.get(path)?.request;
	if (codec === undefined) throw new Error(`no such call: ${path}`);
	return codec.encodeJson(codec.decode(request));
}

/** In the first line of a stream's answer: that of the call, or of the watch that it was to make. */
function refusalIn(line: string): string {
	const { error, result } = JSON.parse(line) as { error?: { message: string }; result?: { cancel_reason?: string } };
	return error?.message ?? result?.cancel_reason ?? "";
}

function metadataOf(token: string): Metadata {
	const metadata = new Metadata();
	if (token !== "") metadata.set("token", token);
	return metadata;
}
