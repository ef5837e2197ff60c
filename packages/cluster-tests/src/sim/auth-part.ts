/**
 * Users and roles that come and go while authentication is off: what was told as done is there in the end, what was refused is
 * not, nothing was done twice, and no read showed less than what was done before it. That all members hold the same is compared
 * at every index, as for all state.
 */
import { etcdserverpb as pb } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import type { Judgement, PartCounts, PartKind, PartWorld, WorkloadPart } from "./parts.ts";

export interface AuthPlan {
	readonly clients: number;
	readonly pauseMs: number;
	readonly timeoutMs: number;
}

export const authPart: PartKind<AuthPlan> = {
	draw: (dice) => ({
		clients: dice.chance(1, 2) ? 0 : dice.range(1, 2),
		pauseMs: dice.pick([20, 100, 400]),
		timeoutMs: dice.pick([500, 3_000]),
	}),
	make: (plan, world) => new AuthPart(plan, world),
	*smaller(plan) {
		if (plan.clients > 0) yield { ...plan, clients: plan.clients - 1 };
	},
};

/** Status codes that leave it open whether something happened. */
const UNKNOWN_CODES: ReadonlySet<number> = new Set([1, 2, 4, 10, 13, 14, 15]);
const RETRY_US = 300_000;
const EMPTY = new Uint8Array(0);

type Outcome =
	| { readonly kind: "ok"; readonly bytes: Uint8Array }
	| { readonly kind: "refused"; readonly message: string }
	| { readonly kind: "unknown" };

interface Request {
	readonly method: string;
	readonly bytes: Uint8Array;
	/** What follows when it was done, and when it may have been. */
	done(): void;
	perhaps(): void;
}

/** Names that are surely there, and that may be. */
class Names {
	readonly sure = new Set<string>();
	readonly possible = new Set<string>();
}

/** What is wrong with the names that are there; null: nothing. */
function misfit(known: readonly Names[], listed: readonly string[]): string | null {
	const there = new Set(listed);
	for (const { sure } of known) for (const name of sure) if (!there.has(name)) return `${name} is gone`;
	for (const name of there) {
		if (!known.some(({ sure, possible }) => sure.has(name) || possible.has(name))) return `${name} must not be there`;
	}
	return null;
}

/** One thing after the other, with names of its own: what one client asks for never depends on another one. */
class AuthClient {
	readonly dice: Dice;
	readonly users = new Names();
	readonly roles = new Names();
	private readonly prefix: string;
	private lastName = 0;

	constructor(prefix: string, dice: Dice) {
		this.prefix = prefix;
		this.dice = dice;
	}

	/** A change that changes something if it is made at all: what it needs is surely there. */
	draw(): Request {
		const { dice } = this;
		const [user, role] = [pick(dice, this.users.sure), pick(dice, this.roles.sure)];
		const kind = dice.range(0, 5);
		if (kind === 0 && user !== undefined) return this.deletion(user);
		if (kind === 1 && user !== undefined) {
			const bytes = pb.AuthUserChangePasswordRequest.encode({ name: user, password: this.fresh("p") });
			return { method: "UserChangePassword", bytes, done() {}, perhaps() {} };
		}
		if (kind === 2 && role !== undefined) {
			const perm = { permType: dice.range(0, 2) as 0, key: Buffer.from(this.fresh("k")), rangeEnd: EMPTY };
			return {
				method: "RoleGrantPermission",
				bytes: pb.AuthRoleGrantPermissionRequest.encode({ name: role, perm }),
				done() {},
				perhaps() {},
			};
		}
		if (kind === 3) return this.addition("RoleAdd", this.roles, this.fresh("r"), (name) => pb.AuthRoleAddRequest.encode({ name }));
		const options = { noPassword: dice.chance(1, 2) };
		return this.addition("UserAdd", this.users, this.fresh("u"), (name) => pb.AuthUserAddRequest.encode({ name, password: "p", options }));
	}

	private addition(method: string, names: Names, name: string, encode: (name: string) => Uint8Array): Request {
		return { method, bytes: encode(name), done: () => names.sure.add(name), perhaps: () => names.possible.add(name) };
	}

	private deletion(name: string): Request {
		const { sure, possible } = this.users;
		// Nothing more is asked of it, whatever comes of this.
		sure.delete(name);
		possible.add(name);
		return { method: "UserDelete", bytes: pb.AuthUserDeleteRequest.encode({ name }), done: () => possible.delete(name), perhaps() {} };
	}

	private fresh(sort: string): string {
		return `${this.prefix}-${sort}${this.lastName++}`;
	}
}

function pick(dice: Dice, names: ReadonlySet<string>): string | undefined {
	return names.size === 0 ? undefined : dice.pick([...names]);
}

class AuthPart implements WorkloadPart {
	private readonly plan: AuthPlan;
	private readonly world: PartWorld;
	private readonly clients: readonly AuthClient[];
	private readonly findings: string[] = [];
	private readonly outcomes = { ok: 0, refused: 0, unknown: 0 };
	private changes = { sure: 0, possible: 0 };
	private open = 0;
	private stopped = false;
	/** Last reads that are still to be answered. */
	private lastReads = 0;

	constructor(plan: AuthPlan, world: PartWorld) {
		this.plan = plan;
		this.world = world;
		this.clients = Array.from({ length: plan.clients }, (_, id) => new AuthClient(`c${id}`, world.dice.fork(`client ${id}`)));
	}

	start(): void {
		for (const client of this.clients) this.later(client);
	}

	stop(): void {
		this.stopped = true;
		if (this.clients.length === 0) return;
		this.lastReads = 3;
		const [users, roles] = [this.clients.map((client) => client.users), this.clients.map((client) => client.roles)];
		this.readAtLast("UserList", (bytes) => this.compare("users", misfit(users, pb.AuthUserListResponse.decode(bytes).users)));
		this.readAtLast("RoleList", (bytes) => this.compare("roles", misfit(roles, pb.AuthRoleListResponse.decode(bytes).roles)));
		this.readAtLast("AuthStatus", (bytes) => this.judgeRevision(bytes, this.changes.sure));
	}

	get idle(): boolean {
		return this.open === 0 && this.lastReads === 0;
	}

	get counts(): PartCounts {
		const { ok, refused, unknown } = this.outcomes;
		return { operations: ok + refused + unknown, acknowledged: ok, refused, unknown };
	}

	accountsFor(): Iterable<number> {
		return [];
	}

	judge(): Judgement {
		return { findings: this.findings, undecided: null };
	}

	private later(client: AuthClient): void {
		this.world.time.after(client.dice.range(1_000, this.plan.pauseMs * 1_000), () => this.next(client));
	}

	private next(client: AuthClient): void {
		if (this.stopped) return;
		if (client.dice.chance(1, 4)) this.readRevision(client);
		else this.change(client, client.draw());
	}

	private change(client: AuthClient, request: Request): void {
		const { method, bytes } = request;
		// Counted as possible until it is known: reads may show it before its answer comes.
		this.changes.possible++;
		this.call(client.dice, method, bytes, (outcome) => {
			if (outcome.kind === "ok") {
				this.changes.possible--;
				this.changes.sure++;
				request.done();
			} else if (outcome.kind === "unknown") request.perhaps();
			else {
				this.changes.possible--;
				if (/(user|role) name/.test(outcome.message)) this.findings.push(`auth, refusal: ${method} was refused with "${outcome.message}"`);
			}
			this.later(client);
		});
	}

	private readRevision(client: AuthClient): void {
		const sureBefore = this.changes.sure;
		this.call(client.dice, "AuthStatus", EMPTY, (outcome) => {
			if (outcome.kind === "ok") this.judgeRevision(outcome.bytes, sureBefore);
			this.later(client);
		});
	}

	private judgeRevision(bytes: Uint8Array, sureBefore: number): void {
		const { authRevision } = pb.AuthStatusResponse.decode(bytes);
		const [least, most] = [1 + sureBefore, 1 + this.changes.sure + this.changes.possible];
		if (authRevision >= least && authRevision <= most) return;
		this.findings.push(`auth, revision: it is ${authRevision}, and must be from ${least} to ${most}`);
	}

	private compare(what: string, misfit: string | null): void {
		if (misfit !== null) this.findings.push(`auth, ${what}: ${misfit}`);
	}

	/** Again and again until somebody answers. */
	private readAtLast(method: string, judge: (bytes: Uint8Array) => void): void {
		const { dice } = this.world;
		const ask = (): void => {
			if (this.open > 0) {
				this.world.time.after(RETRY_US, ask);
				return;
			}
			this.call(dice, method, EMPTY, (outcome) => {
				if (outcome.kind !== "ok") {
					this.world.time.after(RETRY_US, ask);
					return;
				}
				judge(outcome.bytes);
				this.lastReads--;
			});
		};
		ask();
	}

	private call(dice: Dice, method: string, bytes: Uint8Array, done: (outcome: Outcome) => void): void {
		const { timeoutMs } = this.plan;
		const member = dice.pick(this.world.members());
		this.open++;
		let over = false;
		const settle = (outcome: Outcome): void => {
			if (over) return;
			over = true;
			this.open--;
			this.outcomes[outcome.kind]++;
			done(outcome);
		};
		const cancel = member.call(`/etcdserverpb.Auth/${method}`, bytes, timeoutMs, {
			respond: (answer) => settle({ kind: "ok", bytes: answer }),
			fail: ({ code, message }) => settle(UNKNOWN_CODES.has(code) ? { kind: "unknown" } : { kind: "refused", message }),
			gone: () => settle({ kind: "unknown" }),
		});
		this.world.time.after(timeoutMs * 1_000, () => {
			if (over) return;
			cancel();
			settle({ kind: "unknown" });
		});
	}
}
