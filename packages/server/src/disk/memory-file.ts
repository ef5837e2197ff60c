import type { Dice } from "@flotilla/base";

/** Disks write a sector wholly or not at all. */
export const SECTOR_BYTES = 512;

/** One change of a folder's names; a crash keeps it or loses it as a whole. */
export interface NameChange {
	readonly folders: readonly string[];
	readonly makeFolder: string | null;
	readonly unlink: string | null;
	readonly link: { readonly path: string; readonly file: MemoryFile } | null;
}

export function folderOf(path: string): string {
	const slash = path.lastIndexOf("/");
	return slash < 0 ? "" : path.slice(0, slash);
}

/** A file as the process sees it, and as the medium holds it. */
export class MemoryFile {
	media: Uint8Array;
	cache: Uint8Array;

	constructor(media: Uint8Array, cache: Uint8Array = media.slice()) {
		this.media = media;
		this.cache = cache;
	}

	write(offset: number, data: Uint8Array): void {
		this.writeCache(offset, data);
		this.media = put(this.media, offset, data);
	}

	writeCache(offset: number, data: Uint8Array): void {
		this.cache = put(this.cache, offset, data);
	}

	replace(data: Uint8Array): void {
		this.media = data;
		this.cache = data.slice();
	}

	sync(): void {
		this.media = this.cache.slice();
	}

	flip(offset: number, bit: number): void {
		for (const side of [this.media, this.cache]) side[offset] = (side[offset] as number) ^ (1 << bit);
	}

	/** As if a write had gone there that was meant for another place. */
	misplace(offset: number, data: Uint8Array): void {
		for (const side of [this.media, this.cache]) side.set(data, offset);
	}

	/** A write that a crash cut short: any sectors reached the page cache, any of these the medium. */
	tear(offset: number, data: Uint8Array, dice: Dice): void {
		const keepAll = dice.chance(1, 4);
		for (const [at, end] of sectors(offset, data.length)) {
			if (!keepAll && dice.chance(1, 2)) continue;
			const piece = data.subarray(at - offset, end - offset);
			this.writeCache(at, piece);
			if (keepAll || dice.chance(3, 4)) this.media = put(this.media, at, piece);
		}
	}

	tearMedia(offset: number, data: Uint8Array, dice: Dice): void {
		for (const [at, end] of sectors(offset, data.length)) {
			if (dice.chance(1, 2)) this.media = put(this.media, at, data.subarray(at - offset, end - offset));
		}
	}
}

function put(bytes: Uint8Array, offset: number, data: Uint8Array): Uint8Array {
	let target = bytes;
	if (offset + data.length > bytes.length) {
		target = new Uint8Array(offset + data.length);
		target.set(bytes);
	}
	target.set(data, offset);
	return target;
}

/** The parts of [offset, offset + length) that lie in one sector each. */
function* sectors(offset: number, length: number): Generator<readonly [number, number]> {
	const end = offset + length;
	for (let at = offset; at < end; ) {
		const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
		yield [at, next];
		at = next;
	}
}
