import type { LeaseId, LeaseTable } from "@flotilla/mvcc";
import type { NodeId } from "@flotilla/raft";

const START_BITS = 40n;
const COUNTER_BITS = 8n;

/**
 * Ids for leases whose client leaves the choice to the server (etcd API 0.6): 16 bits of the member, then 40 that were drawn for
 * this process life, then a counter that may carry into them. Positive, and never 0.
 */
export class LeaseIds {
	private readonly member: bigint;
	private next: bigint;

	constructor(member: NodeId, incarnation: number) {
		this.member = (member & 0x7fffn) << (START_BITS + COUNTER_BITS);
		this.next = BigInt.asUintN(Number(START_BITS), BigInt(incarnation)) << COUNTER_BITS;
	}

	/** One that no lease of the table has. */
	draw(leases: LeaseTable): LeaseId {
		for (;;) {
			this.next = BigInt.asUintN(Number(START_BITS + COUNTER_BITS), this.next + 1n);
			const id = this.member | this.next;
			if (id !== 0n && !leases.has(id)) return id;
		}
	}
}
