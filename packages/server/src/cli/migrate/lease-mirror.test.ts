import { expect, test } from "vitest";
import { LeaseLost, LeaseMirror } from "./lease-mirror.ts";
import { SideError } from "./refusals.ts";
import type { Rpc } from "./rpc.ts";
import { Side } from "./side.ts";

/** A cluster with leases only. */
class Pretended extends Side {
	/** With the seconds that were granted. */
	readonly leases = new Map<bigint, number>();
	/** What the member that answers does not know yet. */
	readonly unlisted = new Set<bigint>();
	now = 1;
	leastSeconds = 2;

	constructor(name: "source" | "target") {
		super(name, [], { login: undefined, cacert: undefined, cert: undefined, key: undefined });
	}

	override call<Q extends object, R extends object>({ path, response }: Rpc<Q, R>, request: Partial<Q>): Promise<R> {
		const { ID, TTL } = request as unknown as { ID: bigint; TTL: number };
		const granted = this.leases.get(ID);
		const answer = (): object => {
			switch (path.slice(path.lastIndexOf("/") + 1)) {
				case "Range":
					return { header: { clusterId: 1n, memberId: 1n, revision: this.now, raftTerm: 1 } };
				case "LeaseLeases":
					return { leases: [...this.leases.keys()].filter((id) => !this.unlisted.has(id)).map((id) => ({ ID: id })) };
				case "LeaseTimeToLive":
					return granted === undefined ? { ID, TTL: -1 } : { ID, TTL: 1, grantedTTL: granted };
				case "LeaseGrant":
					if (granted !== undefined) throw new SideError(this.name, path, 9, "etcdserver: lease already exists");
					this.leases.set(ID, Math.max(TTL, this.leastSeconds));
					return { ID, TTL: Math.max(TTL, this.leastSeconds) };
				default:
					if (!this.leases.delete(ID)) throw new SideError(this.name, path, 5, "etcdserver: requested lease not found");
					return {};
			}
		};
		return new Promise((resolve) => resolve(response.create(answer() as Partial<R>)));
	}
}

function mirrored(...leases: Array<readonly [id: bigint, seconds: number]>): { source: Pretended; target: Pretended; mirror: LeaseMirror } {
	const [source, target] = [new Pretended("source"), new Pretended("target")];
	for (const [id, seconds] of leases) source.leases.set(id, seconds);
	return { source, target, mirror: new LeaseMirror(source, target) };
}

test("a lease that the answering member does not list lives on: it is looked for before it is ended", async () => {
	const { source, target, mirror } = mirrored([7n, 60], [8n, 60]);
	await mirror.sweep();
	source.unlisted.add(7n);
	mirror.reached = source.now;
	await mirror.sweep();
	expect([...target.leases.keys()]).toEqual([7n, 8n]);
	source.leases.delete(8n);
	await mirror.sweep();
	expect([...target.leases.keys()]).toEqual([7n]);
});

test("one that has ended ends at the target when all that was before is there, and not sooner", async () => {
	const { source, target, mirror } = mirrored([7n, 60]);
	await mirror.sweep();
	source.leases.delete(7n);
	source.now = 20;
	mirror.reached = 19;
	await mirror.sweep();
	expect([target.leases.has(7n), mirror.holds(7n), await mirror.ensure(7n)]).toEqual([true, true, 7n]);
	source.now = 30;
	mirror.reached = 20;
	await mirror.sweep();
	expect([target.leases.has(7n), mirror.holds(7n), await mirror.ensure(7n)]).toEqual([false, false, 0n]);
});

test("the target may grant more; a grant that came through twice is one", async () => {
	const { target, mirror } = mirrored([7n, 1]);
	await Promise.all([mirror.ensure(7n), mirror.ensure(7n)]);
	expect([mirror.count, target.leases.get(7n)]).toEqual([1, 2]);
});

test("a lease that the target lost is told, unless the source has none of it either", async () => {
	const { source, target, mirror } = mirrored([7n, 60], [8n, 60]);
	await mirror.sweep();
	await mirror.search([7n, 8n]);
	target.leases.clear();
	source.leases.delete(8n);
	await mirror.search([8n]);
	await expect(mirror.search([7n])).rejects.toThrow(LeaseLost);
	// Then it is granted anew.
	expect([await mirror.ensure(7n), await mirror.ensure(8n), [...target.leases.keys()]]).toEqual([7n, 0n, [7n]]);
});
