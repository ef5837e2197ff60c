import type { LeaseId } from "./request.ts";

/** What the key space needs of leases. Keys are in the index's form (one character per byte). */
export interface LeaseAttachments {
	has(lease: LeaseId): boolean;
	attach(lease: LeaseId, key: string): void;
	detach(lease: LeaseId, key: string): void;
}

/** A world without leases: every put that names one is refused. */
export const noLeases: LeaseAttachments = {
	has: () => false,
	attach() {},
	detach() {},
};
