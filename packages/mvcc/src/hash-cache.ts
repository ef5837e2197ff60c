import type { Revision } from "./request.ts";

/** etcd keeps as many. */
const HASHES_MAX = 10;

export interface CompactionHash {
	/** Revision that was compacted. */
	readonly revision: Revision;
	/** Compact revision before. */
	readonly compactRevision: Revision;
	readonly hash: number;
}

/** Hashes of compacted revisions, the highest few: they can be compared between members though the records are gone. */
export class HashCache {
	private hashes: CompactionHash[] = [];

	add(hash: CompactionHash): void {
		// Deviation: etcd remembers the hash of nothing for Compact(0) and then answers it to whoever asks for the newest.
		if (hash.revision <= 0) return;
		this.hashes.push(hash);
		if (this.hashes.length > HASHES_MAX) this.hashes = this.hashes.slice(1);
	}

	get(revision: Revision): CompactionHash | null {
		return this.hashes.find((hash) => hash.revision === revision) ?? null;
	}
}
