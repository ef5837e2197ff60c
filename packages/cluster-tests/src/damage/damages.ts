/** Every way in which a data folder is damaged: one change at a time. */
import { copyFile, open, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dice } from "@flotilla/base";
import type { Master, MasterFile } from "./master.ts";

export interface Damage {
	readonly file: string;
	/** `byte 17 xor 0x40`, `cut to 100 bytes`, `missing` ... */
	readonly what: string;
	apply(folder: string): Promise<void>;
}

/** Of zeros that nobody wrote (preallocated space) one in so many is tried. */
const PADDING_STEP = 257;
const CUT_STEP = 64;

/** Each byte of each file, xor'ed with a mask of its own; then each file cut, missing, emptied, zeroed, or as it was before. */
export async function allDamages(master: Master, dice: Dice): Promise<Damage[]> {
	const damages: Damage[] = [];
	for (const file of master.files) {
		damages.push(...(await flips(master, file, dice)), ...cuts(file), ...wholes(master, file));
	}
	return damages;
}

async function flips(master: Master, { path, bytes }: MasterFile, dice: Dice): Promise<Damage[]> {
	const content = await contentOf(join(master.folder, path));
	// What lies behind the last byte that is not zero was never written.
	let written = bytes;
	while (written > 0 && content[written - 1] === 0) written--;
	const positions = Array.from({ length: written }, (_, at) => at);
	for (let at = written; at < bytes; at += PADDING_STEP) positions.push(at);
	return positions.map((at) => {
		const mask = dice.range(1, 255);
		return {
			file: path,
			what: `byte ${at} xor 0x${mask.toString(16)}`,
			apply: (folder) => writeAt(join(folder, path), at, Buffer.of((content[at] as number) ^ mask)),
		};
	});
}

function cuts({ path, bytes }: MasterFile): Damage[] {
	const lengths = [1, bytes - 1].filter((length) => length > 0 && length < bytes);
	for (let length = CUT_STEP; length < bytes; length += CUT_STEP) lengths.push(length);
	return [...new Set(lengths)].map((length) => ({
		file: path,
		what: `cut to ${length} of ${bytes} bytes`,
		apply: (folder) => truncate(join(folder, path), length),
	}));
}

function wholes({ older }: Master, { path, bytes }: MasterFile): Damage[] {
	const at = (folder: string): string => join(folder, path);
	return [
		{ file: path, what: "missing", apply: (folder) => rm(at(folder)) },
		{ file: path, what: "empty", apply: (folder) => truncate(at(folder), 0) },
		{ file: path, what: "zeroed", apply: (folder) => writeFile(at(folder), Buffer.alloc(bytes)) },
		{
			file: path,
			what: "as it was before",
			// A file that is younger than that was not there.
			apply: (folder) => copyFile(at(older), at(folder)).catch(() => rm(at(folder))),
		},
	];
}

async function contentOf(path: string): Promise<Buffer> {
	const file = await open(path, "r");
	try {
		return await file.readFile();
	} finally {
		await file.close();
	}
}

async function writeAt(path: string, at: number, bytes: Buffer): Promise<void> {
	const file = await open(path, "r+");
	try {
		await file.write(bytes, 0, bytes.length, at);
	} finally {
		await file.close();
	}
}
