import { assert } from "@flotilla/base";
import type { LeaseId } from "../request.ts";

/**
 * A lease as every member holds it: what was granted, the time left at its last checkpoint, and the keys that hang on it. When
 * it ends is not written here: only a leader has a clock (decisions 5.1, L1).
 */
export class Lease {
	readonly id: LeaseId;
	/** Seconds. */
	readonly ttl: number;
	/** Number of the grant: rises from grant to grant, and so tells apart two leases that had the same id one after the other. */
	readonly birth: number;
	/** Milliseconds that were left when it was checkpointed last; 0: never, or not since it was renewed. */
	remainingMs: number;
	/** Most leases hold one key, and a set costs two hundred bytes. */
	private attached: string | Set<string> | null = null;

	constructor(id: LeaseId, ttl: number, birth: number, remainingMs: number) {
		this.id = id;
		this.ttl = ttl;
		this.birth = birth;
		this.remainingMs = remainingMs;
	}

	get keyCount(): number {
		if (this.attached === null) return 0;
		return typeof this.attached === "string" ? 1 : this.attached.size;
	}

	/** In ascending order; a copy. */
	keys(): string[] {
		if (this.attached === null) return [];
		return typeof this.attached === "string" ? [this.attached] : [...this.attached].sort();
	}

	/** In no order, and without a copy: not across changes. */
	attachedKeys(): Iterable<string> {
		if (this.attached === null) return [];
		return typeof this.attached === "string" ? [this.attached] : this.attached;
	}

	attach(key: string): void {
		const { attached } = this;
		if (attached === null) this.attached = key;
		else if (typeof attached !== "string") attached.add(key);
		else if (attached !== key) this.attached = new Set([attached, key]);
	}

	detach(key: string): void {
		const { attached } = this;
		if (attached === key) {
			this.attached = null;
			return;
		}
		assert(attached !== null && typeof attached !== "string" && attached.delete(key), "a key that is detached was attached");
		if (attached.size === 0) this.attached = null;
	}
}
