/** Every way in which a data folder is damaged: one change at a time. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Dice } from "@flotilla/base";
import type { Master, MasterFile } from "./master.ts";

export type Change =
	| { readonly kind: "flip"; readonly at: number; readonly mask: number }
	| { readonly kind: "cut"; readonly bytes: number }
	| { readonly kind: "missing" | "empty" | "zeroed" | "older" };

export interface Damage {
	readonly file: string;
	readonly change: Change;
}

/** Of zeros that nobody wrote (preallocated space) one in so many is tried. */
const PADDING_STEP = 257;
const CUT_STEP = 64;

/** Each byte of each file, xor'ed with a mask of its own; then each file cut, missing, emptied, zeroed, or as it was before. */
export function allDamages(master: Master, dice: Dice): Damage[] {
	return master.files.flatMap((file) => {
		const changes = [...flips(file, dice), ...cuts(file), ...WHOLES];
		return changes.map((change) => ({ file: file.path, change }));
	});
}

const WHOLES: readonly Change[] = [{ kind: "missing" }, { kind: "empty" }, { kind: "zeroed" }, { kind: "older" }];

function flips({ content }: MasterFile, dice: Dice): Change[] {
	// What lies behind the last byte that is not zero was never written.
	let written = content.length;
	while (written > 0 && content[written - 1] === 0) written--;
	const positions = Array.from({ length: written }, (_, at) => at);
	for (let at = written; at < content.length; at += PADDING_STEP) positions.push(at);
	return positions.map((at) => ({ kind: "flip", at, mask: dice.range(1, 255) }));
}

function cuts({ content }: MasterFile): Change[] {
	const lengths = [1, content.length - 1].filter((length) => length > 0 && length < content.length);
	for (let length = CUT_STEP; length < content.length; length += CUT_STEP) lengths.push(length);
	return [...new Set(lengths)].map((bytes) => ({ kind: "cut", bytes }));
}

export function describeDamage({ file, change }: Damage): string {
	switch (change.kind) {
		case "flip":
			return `${file}: byte ${change.at} xor 0x${change.mask.toString(16)}`;
		case "cut":
			return `${file}: cut to ${change.bytes} bytes`;
		case "older":
			return `${file}: as it was before`;
		case "missing":
		case "empty":
		case "zeroed":
			return `${file}: ${change.kind}`;
	}
}

/** What a file holds afterwards. Null: it is not there. */
export function damaged({ content, older }: MasterFile, change: Change): Uint8Array | null {
	switch (change.kind) {
		case "flip": {
			const bytes = content.slice();
			bytes[change.at] = (bytes[change.at] as number) ^ change.mask;
			return bytes;
		}
		case "cut":
			return content.slice(0, change.bytes);
		case "missing":
			return null;
		case "empty":
			return new Uint8Array(0);
		case "zeroed":
			return new Uint8Array(content.length);
		case "older":
			// A file that is younger than that was not there.
			return older;
	}
}

/** The folder as it is after the damage, in place of whatever is there. At once: a few small files on a file system in memory. */
export function writeDamaged({ files }: Master, { file: damagedFile, change }: Damage, folder: string): void {
	rmSync(folder, { recursive: true, force: true });
	for (const file of files) {
		const path = join(folder, file.path);
		mkdirSync(dirname(path), { recursive: true });
		const bytes = file.path === damagedFile ? damaged(file, change) : file.content;
		if (bytes !== null) writeFileSync(path, bytes, { mode: 0o600 });
	}
}
