/** Every way in which a data folder is damaged: one change at a time. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Dice } from "@flotilla/base";
import { bordersOf } from "./borders.ts";
import type { Master, MasterFile } from "./master.ts";

export type Change =
	| { readonly kind: "flip"; readonly at: number; readonly mask: number }
	/** Shorter than it was; or as long, and zeros from there on, as if never written. `border`: there, or a byte beside it, a part ends. */
	| { readonly kind: "cut" | "blank"; readonly bytes: number; readonly border: boolean }
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
		const changes = [...flips(file, dice), ...cuts(file), ...blanks(file), ...WHOLES];
		return changes.map((change) => ({ file: file.path, change }));
	});
}

/** For people: what was done, without where. */
export function sortOf({ change }: Damage): string {
	switch (change.kind) {
		case "flip":
			return "one byte changed";
		case "cut":
			return change.border ? "cut at a border, or a byte beside it" : `cut every ${CUT_STEP} bytes`;
		case "blank":
			return "zeros from a border on, or from a byte beside it";
		case "older":
			return "as it was before";
		case "missing":
		case "empty":
		case "zeroed":
			return change.kind;
	}
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

function cuts(file: MasterFile): Change[] {
	const { length } = file.content;
	const atBorders = new Set(besideBorders(file));
	const all = new Set([1, length - 1, ...atBorders]);
	for (let bytes = CUT_STEP; bytes < length; bytes += CUT_STEP) all.add(bytes);
	const within = [...all].filter((bytes) => bytes > 0 && bytes < length);
	return within.sort((a, b) => a - b).map((bytes) => ({ kind: "cut", bytes, border: atBorders.has(bytes) }));
}

/** A segment has all its bytes from the beginning on, so one whose end was lost is as long as before. */
function blanks(file: MasterFile): Change[] {
	if (!file.path.startsWith("wal/")) return [];
	return besideBorders(file).map((bytes) => ({ kind: "blank", bytes, border: true }));
}

function besideBorders({ path, content }: MasterFile): number[] {
	const beside = new Set(bordersOf(path, content).flatMap((at) => [at - 1, at, at + 1]));
	return [...beside].filter((at) => at > 0 && at < content.length).sort((a, b) => a - b);
}

export function describeDamage({ file, change }: Damage): string {
	switch (change.kind) {
		case "flip":
			return `${file}: byte ${change.at} xor 0x${change.mask.toString(16)}`;
		case "cut":
			return `${file}: cut to ${change.bytes} bytes`;
		case "blank":
			return `${file}: zeros from byte ${change.bytes} on`;
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
		case "blank":
			return content.slice().fill(0, change.bytes);
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
