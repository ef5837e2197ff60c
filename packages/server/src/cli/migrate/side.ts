/** One of the two clusters of a migration: any of its members, one after another, until one answers. */
import { setTimeout as pause } from "node:timers/promises";
import { type MessageType, etcdserverpb as pb } from "@flotilla/api";
import { type Access, type CallError, OutsideClient } from "../outside-client.ts";

/** A connection that was given up, a member that is gone or waits in vain, a token that has run out: the next member may do. */
const TRANSIENT: ReadonlySet<number> = new Set([1, 4, 14, 16]);
const PATIENCE_MS = 60_000;
const CALL_MS = 15_000;
const PAUSE_MS = 200;

export interface Rpc<Request extends object, Response extends object> {
	readonly path: string;
	readonly request: MessageType<Request>;
	readonly response: MessageType<Response>;
}

function rpc<Request extends object, Response extends object>(
	path: string,
	request: MessageType<Request>,
	response: MessageType<Response>,
): Rpc<Request, Response> {
	return { path: `/etcdserverpb.${path}`, request, response };
}

export const RPC = {
	range: rpc("KV/Range", pb.RangeRequest, pb.RangeResponse),
	put: rpc("KV/Put", pb.PutRequest, pb.PutResponse),
	txn: rpc("KV/Txn", pb.TxnRequest, pb.TxnResponse),
	watch: rpc("Watch/Watch", pb.WatchRequest, pb.WatchResponse),
	leases: rpc("Lease/LeaseLeases", pb.LeaseLeasesRequest, pb.LeaseLeasesResponse),
	timeToLive: rpc("Lease/LeaseTimeToLive", pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse),
	grant: rpc("Lease/LeaseGrant", pb.LeaseGrantRequest, pb.LeaseGrantResponse),
	revoke: rpc("Lease/LeaseRevoke", pb.LeaseRevokeRequest, pb.LeaseRevokeResponse),
	keepAlive: rpc("Lease/LeaseKeepAlive", pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse),
	roleList: rpc("Auth/RoleList", pb.AuthRoleListRequest, pb.AuthRoleListResponse),
	roleGet: rpc("Auth/RoleGet", pb.AuthRoleGetRequest, pb.AuthRoleGetResponse),
	roleAdd: rpc("Auth/RoleAdd", pb.AuthRoleAddRequest, pb.AuthRoleAddResponse),
	roleGrant: rpc("Auth/RoleGrantPermission", pb.AuthRoleGrantPermissionRequest, pb.AuthRoleGrantPermissionResponse),
	userList: rpc("Auth/UserList", pb.AuthUserListRequest, pb.AuthUserListResponse),
	userGet: rpc("Auth/UserGet", pb.AuthUserGetRequest, pb.AuthUserGetResponse),
	userAdd: rpc("Auth/UserAdd", pb.AuthUserAddRequest, pb.AuthUserAddResponse),
	userGrant: rpc("Auth/UserGrantRole", pb.AuthUserGrantRoleRequest, pb.AuthUserGrantRoleResponse),
	authEnable: rpc("Auth/AuthEnable", pb.AuthEnableRequest, pb.AuthEnableResponse),
} as const;

/** Every key there is. */
export const ALL_KEYS = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) } as const;

export class Side {
	readonly name: "source" | "target";
	private readonly endpoints: readonly string[];
	private readonly access: Access;
	private client: Promise<OutsideClient> | null = null;
	private tries = 0;

	constructor(name: "source" | "target", endpoints: readonly string[], access: Access) {
		this.name = name;
		this.endpoints = endpoints;
		this.access = access;
	}

	/**
	 * Everything that a migration asks for may be asked again: a second time it changes nothing. (A first try that was given up
	 * may still arrive late, behind newer writes of its key; the comparison at the end would find that.)
	 */
	async call<Request extends object, Response extends object>(
		{ path, request: encoder, response: decoder }: Rpc<Request, Response>,
		request: Partial<Request>,
	): Promise<Response> {
		const deadline = performance.now() + PATIENCE_MS;
		for (;;) {
			try {
				const client = await this.connected();
				return await client.call(path, { request: encoder, response: decoder }, request, CALL_MS);
			} catch (error) {
				const { code, details, message } = error as CallError;
				if (!TRANSIENT.has(code) || performance.now() > deadline) throw new SideError(this.name, path, code, details ?? message);
				this.drop();
				await pause(PAUSE_MS);
			}
		}
	}

	/** The same by somebody who is not logged in. */
	async anonymously<Request extends object, Response extends object>(
		rpc: Rpc<Request, Response>,
		request: Partial<Request>,
	): Promise<Response> {
		const stranger = new Side(this.name, this.endpoints, { ...this.access, user: undefined, cert: undefined, key: undefined });
		try {
			return await stranger.call(rpc, request);
		} finally {
			stranger.drop();
		}
	}

	connected(): Promise<OutsideClient> {
		this.client ??= this.open();
		return this.client;
	}

	/** The member is no good any more: the next call goes to the next one. */
	drop(): void {
		const { client } = this;
		this.client = null;
		void client?.then(
			(opened) => opened.close(),
			() => {},
		);
	}

	/** A confirmed one: of a moment not before this call. */
	async revision(): Promise<number> {
		const { header } = await this.call(RPC.range, { ...ALL_KEYS, countOnly: true });
		return header?.revision ?? 0;
	}

	private open(): Promise<OutsideClient> {
		return OutsideClient.open(this.endpoints[this.tries++ % this.endpoints.length] as string, this.access);
	}
}

/** What a cluster refused, or what nobody of it answered. */
export class SideError extends Error {
	override readonly name = "SideError";
	readonly code: number;
	readonly details: string;

	constructor(side: Side["name"], path: string, code: number, details: string) {
		super(`the ${side}, asked for ${path.slice(path.lastIndexOf("/") + 1)}: ${details}`);
		this.code = code;
		this.details = details;
	}

	/** By the texts that etcd and flotilla share. */
	static says(error: unknown, text: string): boolean {
		return error instanceof SideError && error.details.includes(text);
	}
}
