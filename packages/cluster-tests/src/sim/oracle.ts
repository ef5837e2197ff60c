import { decodeKeyValue, decodeRecordKey, type RecordBatch } from "@flotilla/mvcc";
import type { NodeId } from "@flotilla/raft";
import type { Change } from "../history/operation.ts";

/**
 * What the members' records say of each revision. Every member writes the same, so whoever writes a revision first sets
 * it and each other one must agree: two members that differ are found at the first revision that differs.
 */
export class Oracle {
	private readonly revisions = new Map<number, Map<number, Change>>();
	private readonly writers = new Map<number, NodeId>();
	/** Findings in words. */
	readonly disagreements: string[] = [];

	observe(member: NodeId, batch: RecordBatch): void {
		for (const { key, value } of batch.puts) {
			const where = decodeRecordKey(key);
			if (where === null) continue;
			const pair = decodeKeyValue(value.subarray(0, value.length - 4));
			const change = { key: latin1(pair.key), value: where.tombstone ? null : latin1(pair.value) };
			this.add(member, where.main, where.sub, change);
		}
	}

	/**
	 * Revisions up to `finalRevision`, which some member holds, that no member ever handed to its store. There are none: who holds
	 * a revision has written it, or was sent a state that holds it by somebody who had.
	 */
	unwritten(finalRevision: number): number[] {
		const missing: number[] = [];
		for (let revision = 2; revision <= finalRevision; revision++) if (!this.revisions.has(revision)) missing.push(revision);
		return missing;
	}

	/** Changes by revision, each revision's in the order in which they were made. */
	changes(): ReadonlyMap<number, readonly Change[]> {
		const result = new Map<number, Change[]>();
		for (const [revision, parts] of this.revisions) {
			result.set(
				revision,
				[...parts.keys()].sort((a, b) => a - b).map((sub) => parts.get(sub) as Change),
			);
		}
		return result;
	}

	private add(member: NodeId, main: number, sub: number, change: Change): void {
		let parts = this.revisions.get(main);
		if (parts === undefined) {
			parts = new Map();
			this.revisions.set(main, parts);
			this.writers.set(main, member);
		}
		const known = parts.get(sub);
		if (known === undefined) {
			parts.set(sub, change);
			return;
		}
		if (known.key === change.key && known.value === change.value) return;
		this.disagreements.push(
			`revision ${main}.${sub}: ${this.writers.get(main)?.toString(16)} wrote ${describe(known)}, ${member.toString(16)} wrote ${describe(change)}`,
		);
	}
}

function describe(change: Change): string {
	return change.value === null ? `no ${change.key}` : `${change.key}=${change.value}`;
}

function latin1(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
