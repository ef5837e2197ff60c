/** What an entry costs besides its bytes. */
const ENTRY_BYTES = 96;

interface CachedValue {
	readonly main: number;
	readonly sub: number;
	readonly pair: Uint8Array;
}

/**
 * Values read from the storage, one a slot, in two generations: a full young one becomes the old one, whose entries are
 * dropped unless they were read meanwhile. Entries name their record, so a later put or another key in the same slot needs
 * no invalidation.
 */
export class ValueCache {
	private readonly generationBytesMax: number;
	private young = new Map<number, CachedValue>();
	private old = new Map<number, CachedValue>();
	private youngBytes = 0;

	constructor(bytesMax: number) {
		this.generationBytesMax = bytesMax / 2;
	}

	get(slot: number, main: number, sub: number): Uint8Array | null {
		const recent = this.young.get(slot);
		if (recent !== undefined) return recent.main === main && recent.sub === sub ? recent.pair : null;
		const older = this.old.get(slot);
		if (older === undefined || older.main !== main || older.sub !== sub) return null;
		this.insert(slot, older);
		return older.pair;
	}

	set(slot: number, main: number, sub: number, pair: Uint8Array): void {
		this.insert(slot, { main, sub, pair });
	}

	private insert(slot: number, value: CachedValue): void {
		const cost = value.pair.length + ENTRY_BYTES;
		if (cost > this.generationBytesMax) return;
		if (this.youngBytes + cost > this.generationBytesMax) {
			this.old = this.young;
			this.young = new Map();
			this.youngBytes = 0;
		}
		const replaced = this.young.get(slot);
		if (replaced !== undefined) this.youngBytes -= replaced.pair.length + ENTRY_BYTES;
		this.young.set(slot, value);
		this.youngBytes += cost;
	}
}
