/** Random messages in our form, and the same in protobufjs's: the reference that the codecs are compared with. */
import { join } from "node:path";
import type { Dice } from "@flotilla/base";
import type protobuf from "protobufjs";
import { loadProtos } from "../scripts/generate.ts";
import type { Field, FieldType, MessageTable, Shape, UnionValue } from "../src/message/table.ts";

export const reference: protobuf.Root = loadProtos(join(import.meta.dirname, "../proto"));

/** Fresh chance in every run; a failing run is repeated with the seed in its title. */
export const seed: string = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

/** Messages in a random comparison; millions by FLOTILLA_CODEC_ROUNDS. */
export const rounds: number = Number(process.env.FLOTILLA_CODEC_ROUNDS ?? 20_000);

export function referenceType(typeName: string): protobuf.Type {
	return reference.lookupType(typeName);
}

/** Half the fields at their defaults; edge values of varints often. `depth` bounds nesting. */
export function randomMessage(dice: Dice, table: MessageTable, depth = 4): Shape {
	const message: Shape = {};
	for (const field of table.fields) {
		if (field.union !== null) continue;
		message[field.property] = field.repeated ? randomList(dice, field, depth) : randomSingle(dice, field, depth);
	}
	for (const union of new Set(table.fields.map((field) => field.union))) {
		if (union !== null) message[union] = randomUnion(dice, table, union, depth);
	}
	return message;
}

function randomSingle(dice: Dice, field: Field, depth: number): unknown {
	if (isMessage(field.type)) return depth === 0 || dice.chance(1, 2) ? null : randomMessage(dice, field.type, depth - 1);
	return randomScalar(dice, field.type, dice.chance(1, 2));
}

function randomList(dice: Dice, field: Field, depth: number): unknown[] {
	if (depth === 0 && isMessage(field.type)) return [];
	return Array.from({ length: dice.pick([0, 0, 1, 2, 3]) }, () => randomValue(dice, field.type, depth));
}

function randomUnion(dice: Dice, table: MessageTable, union: string, depth: number): UnionValue | null {
	const members = table.fields.filter((field) => field.union === union && (depth > 0 || !isMessage(field.type)));
	if (members.length === 0 || dice.chance(1, 10)) return null;
	const field = dice.pick(members);
	return { kind: field.property, value: randomValue(dice, field.type, depth) };
}

function randomValue(dice: Dice, type: FieldType, depth: number): unknown {
	return isMessage(type) ? randomMessage(dice, type, depth - 1) : randomScalar(dice, type, false);
}

function isMessage(type: FieldType): type is MessageTable {
	return typeof type === "object" && type.kind === "message";
}

function randomScalar(dice: Dice, type: FieldType, atDefault: boolean): unknown {
	switch (type) {
		case "bool":
			return !atDefault && dice.chance(1, 2);
		case "string":
			return atDefault ? "" : dice.pick(["", "x", "name-1", "http://127.0.0.1:2380", "h\u00e9\u00df", "\u6f22\u{1f680}", "\ufeffbom"]);
		case "bytes":
			return atDefault ? new Uint8Array(0) : randomBytes(dice);
		case "int64Id":
			return atDefault ? 0n : BigInt.asIntN(64, randomBig(dice));
		case "uint64Id":
			return atDefault ? 0n : BigInt.asUintN(64, randomBig(dice));
		case "uint32":
			return atDefault ? 0 : dice.uint32() >>> dice.range(0, 31);
		case "uint64":
			return atDefault ? 0 : Math.floor(dice.uint53() / 2 ** dice.range(0, 53));
		case "int64":
			return atDefault ? 0 : Math.floor(dice.uint53() / 2 ** dice.range(0, 53)) * dice.pick([1, 1, 1, -1]) + 0;
		default:
			return atDefault ? 0 : dice.pick([0, 1, 2, 3, 4, 77, -1]);
	}
}

function randomBig(dice: Dice): bigint {
	const wide = (BigInt(dice.uint32()) << 32n) | BigInt(dice.uint32());
	return dice.pick([wide, wide >> BigInt(dice.range(0, 63)), 1n << BigInt(dice.range(0, 63)), -1n]);
}

export function randomBytes(dice: Dice): Uint8Array {
	const length = dice.pick([0, 1, 2, 5, 16, 126, 127, 128, 129, 300, dice.range(0, 20_000) * dice.pick([0, 0, 0, 0, 0, 0, 0, 1])]);
	const bytes = new Uint8Array(length);
	for (let i = 0; i < Math.min(length, 64); i++) bytes[i] = dice.range(0, 255);
	return bytes;
}

/** Our form to the plain object that protobufjs reads: proto names, unions flat, decimal text for all 64-bit integers. */
export function toReference(table: MessageTable, message: Shape): Record<string, unknown> {
	const plain: Record<string, unknown> = {};
	for (const field of table.fields) {
		if (field.union !== null) {
			const held = message[field.union] as UnionValue | null;
			if (held?.kind === field.property) plain[field.protoName] = valueToReference(field.type, held.value);
			continue;
		}
		const value = message[field.property];
		if (field.repeated) {
			if ((value as unknown[]).length > 0) plain[field.protoName] = (value as unknown[]).map((one) => valueToReference(field.type, one));
		} else if (!isUnset(value)) plain[field.protoName] = valueToReference(field.type, value);
	}
	return plain;
}

function isUnset(value: unknown): boolean {
	return value === null || value === false || value === 0 || value === 0n || value === "" || (value as Uint8Array).length === 0;
}

function valueToReference(type: FieldType, value: unknown): unknown {
	if (isMessage(type)) return toReference(type, value as Shape);
	return type === "int64" || type === "uint64" || type === "int64Id" || type === "uint64Id" ? String(value) : value;
}

export function referenceEncode(table: MessageTable, message: Shape): Uint8Array {
	const type = referenceType(table.typeName);
	return Uint8Array.from(type.encode(type.fromObject(toReference(table, message))).finish());
}

/** One byte changed, removed or doubled, or a field that nobody knows put before or behind. */
export function damage(dice: Dice, bytes: Uint8Array): Uint8Array {
	const at = dice.range(0, Math.max(0, bytes.length - 1));
	const parts: Uint8Array[] = [bytes.subarray(0, at), bytes.subarray(at)];
	switch (dice.range(0, 4)) {
		case 0: {
			const changed = bytes.slice();
			if (changed.length > 0) changed[at] = (changed[at] as number) ^ (1 << dice.range(0, 7));
			return changed;
		}
		case 1:
			return bytes.slice(0, at);
		case 2:
			return Uint8Array.of(...unknownField(dice), ...bytes);
		case 3:
			return Uint8Array.of(...bytes, ...unknownField(dice));
		default:
			return Uint8Array.of(...(parts[0] as Uint8Array), dice.range(0, 255), ...(parts[1] as Uint8Array));
	}
}

function unknownField(dice: Dice): number[] {
	return dice.pick([
		[0xc0, 0x3e, 0x96, 0x01],
		[0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],
		[0xc2, 0x3e, 3, 7, 7, 7],
		[0xc3, 0x3e, 0x08, 0x01, 0xc4, 0x3e],
		[0xc5, 0x3e, 1, 2, 3, 4],
	]);
}
