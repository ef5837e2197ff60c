/**
 * Messages in their JSON form as clients may write it: each body in a spelling that a seed draws, and every other one with something odd
 * or wrong in it, which is named.
 */
import type { MessageTable, Shape } from "@flotilla/api";
import type { Dice } from "@flotilla/base";

type Field = MessageTable["fields"][number];

/** A body and what is odd about it; empty: nothing but its spelling. */
export interface Spelled {
	readonly text: string;
	readonly oddity: string;
}

/** Of something that is no message of its kind, whichever server reads it. */
export const WRONG = "wrong: ";

const WRONG_OF: Readonly<Record<string, readonly string[]>> = {
	bytes: ["5", "true", "{}", '["YQ=="]', '"*"', '"YQ="', '"Y"', '"YQ==YQ=="', '"=="', '"\\u0000"', '"é"'],
	bool: ['"true"', '"yes"', "1", "0", "TRUE", "{}", "[true]"],
	string: ["5", "true", "{}", "[]", '"\n"', '"\\x41"', '"\\u12"'],
	integer: [
		...["1.5", '"1.5"', '"x"', '""', "true", "{}", "[1]", "99999999999999999999", '"-99999999999999999999"', '"0x1"', "01", '"01"', "+1"],
		...['"+1"', "1e400", "- 1", "0x1", '"1_000"', "NaN", "Infinity", "1e-3", "-", ".5", "1."],
	],
	enum: ['"NOPE"', '"1"', "1.5", "true", "{}", "[]", '"none"', '""', "4294967296", '"constructor"'],
	message: ["5", '"x"', "true", "[]", "[{}]"],
	list: ["{}", "5", '"x"', "true"],
};
const BODIES = ["[]", "5", '"x"', "true", "{", "}", "{,}", "{'a':1}", "{a:1}", "NaN", "\ufeff{}", "\u00a0", "\ufeff", "// none", "nul"];
const BLANKS = ["", "", "", " ", "\n", "\t \r\n"];
const UNKNOWN = [
	...['"nothing":1', '"nothing":null', '"nothing":{"key":[1,{"a":"b"}]}', '"Key":"YQ=="', '"":""', '"__proto__":{"key":"YQ=="}'],
	...['"constructor":5', '"toString":"x"', '"ключ":"\\ud83d\\ude00"', '"n":1e300', '"n":-0.0', '"n":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]'],
];

export class Speller {
	private readonly dice: Dice;
	/** A request of which only one of two servers may do anything must not change anything. */
	private readonly harmless: boolean;
	private readonly wantsOdd: boolean;
	private oddity = "";

	constructor(dice: Dice, harmless: boolean) {
		this.dice = dice;
		this.harmless = harmless;
		this.wantsOdd = dice.chance(1, 2);
	}

	spell(table: MessageTable, message: Shape): Spelled {
		let text = this.blank() + this.message(table, message) + this.blank();
		if (this.now(4)) text = this.wholeBody(text);
		return { text, oddity: this.oddity };
	}

	private wholeBody(text: string): string {
		const { dice } = this;
		const roll = dice.range(0, this.harmless ? 4 : 2);
		if (roll === 0) return this.odd(`${WRONG}body`, dice.pick(BODIES));
		if (roll === 1) return this.odd(`${WRONG}cut off`, text.trim().slice(0, dice.range(1, text.trim().length - 1)));
		if (roll === 2) return this.odd(`${WRONG}comma`, text.trim().replace(/\}$/, ",}"));
		if (roll === 3) return this.odd("null body", "null");
		return this.odd("more behind it", text + dice.pick(["{}", "]", "x", "5", text]));
	}

	private message(table: MessageTable, message: Shape): string {
		const { dice } = this;
		const members: string[] = [];
		for (const field of table.fields) {
			const given = this.given(field, message);
			if (given === undefined) {
				if (field.union === null && dice.chance(1, 10)) members.push(this.member(field.protoName, this.absent(field)));
				continue;
			}
			const text = field.repeated ? this.list(field, given as readonly unknown[]) : this.value(field, given);
			const name = dice.chance(1, 2) ? field.protoName : field.property;
			members.push(this.member(name, text));
			if (this.now(30)) members.push(this.odd("a key twice", this.member(name, text)));
			else if (this.harmless && field.property !== field.protoName && this.now(10)) {
				members.push(this.odd("a field by both names", this.member(name === field.property ? field.protoName : field.property, text)));
			} else if (this.harmless && field.union !== null && this.now(10)) {
				const other = table.fields.find((each) => each.union === field.union && each !== field && typeof each.type === "string");
				if (other !== undefined) members.push(this.odd("two members of a choice", this.member(other.protoName, this.plain(other))));
			}
		}
		if (dice.chance(1, 6)) members.push(this.member(...(dice.pick(UNKNOWN).split(/(?<=^"[^"]*"):/) as [string, string])));
		return `{${this.shuffled(members).join(`${this.blank()},`)}${this.blank()}}`;
	}

	/** Undefined: it is at its default. */
	private given({ property, union, repeated, type }: Field, message: Shape): unknown {
		if (union !== null) {
			const held = message[union] as { kind: string; value: unknown } | null;
			return held?.kind === property ? held.value : undefined;
		}
		const value = message[property];
		if (repeated) return (value as readonly unknown[]).length === 0 ? undefined : value;
		if (value instanceof Uint8Array) return value.length === 0 ? undefined : value;
		return value === null || value === false || value === "" || value === 0 || value === 0n || type === undefined ? undefined : value;
	}

	private absent(field: Field): string {
		if (this.dice.chance(1, 2)) return "null";
		return field.repeated ? "[]" : this.plain(field);
	}

	/** A default written out. */
	private plain({ type }: Field): string {
		if (typeof type !== "string") return type.kind === "enum" ? "0" : "null";
		return type === "bool"
			? "false"
			: type === "string" || type === "bytes"
				? '""'
				: this.dice.pick(["0", '"0"', "-0"].slice(0, type.startsWith("u") ? 2 : 3));
	}

	private list(field: Field, values: readonly unknown[]): string {
		if (this.now(20)) return this.wrong("list");
		return `[${values.map((value) => this.value(field, value)).join(`,${this.blank()}`)}]`;
	}

	private value({ protoName, type }: Field, value: unknown): string {
		if (typeof type === "string") return this.scalar(type, value);
		if (type.kind === "message") return this.now(20) ? this.wrong("message") : this.message(type, value as Shape);
		if (this.now(8)) {
			if (this.harmless && this.dice.chance(1, 4)) return this.odd("a fraction of nothing", `${value as number}.0`);
			// The etcd at hand does not survive an unknown sort target.
			if (protoName !== "sort_target" && this.dice.chance(1, 3)) return this.odd("an unknown number", "77");
			return this.wrong("enum");
		}
		const name = type.nameOf.get(value as number);
		return name === undefined || this.dice.chance(1, 2) ? String(value) : `"${name}"`;
	}

	private scalar(type: string, value: unknown): string {
		switch (type) {
			case "bool":
				return this.now(8) ? this.wrong("bool") : String(value);
			case "string":
				return this.now(8) ? this.wrong("string") : this.string(value as string);
			case "bytes":
				return this.now(8) ? this.oddBytes(value as Uint8Array) : this.string(Buffer.from(value as Uint8Array).toString("base64"));
			default:
				if (this.now(8)) return this.oddInteger(value as number | bigint);
				return this.dice.chance(1, 2) ? `"${String(value)}"` : String(value);
		}
	}

	private oddBytes(value: Uint8Array): string {
		const { dice, harmless } = this;
		const standard = Buffer.from(value).toString("base64");
		const bare = standard.replace(/=+$/, "");
		const forAddresses = standard.replaceAll("+", "-").replaceAll("/", "_");
		if (harmless && dice.chance(1, 2)) {
			if (dice.chance(1, 3)) return this.odd("line breaks in base64", JSON.stringify(`${standard.slice(0, 2)}\n${standard.slice(2)}`));
			if (bare !== standard) return this.odd("base64 without padding", `"${dice.chance(1, 2) ? bare : forAddresses.replace(/=+$/, "")}"`);
			if (forAddresses !== standard) return this.odd("base64 for addresses", `"${forAddresses}"`);
		}
		return this.wrong("bytes");
	}

	private oddInteger(value: number | bigint): string {
		const { dice, harmless } = this;
		if (!harmless || dice.chance(1, 2)) return this.wrong("integer");
		if (dice.chance(1, 4)) return this.odd("blanks around a number in a string", `" ${String(value)}"`);
		const text = dice.pick([`${String(value)}.0`, `${String(value)}e0`, `${String(value)}.00E+0`]);
		return this.odd("a fraction of nothing", dice.chance(1, 2) ? text : `"${text}"`);
	}

	/** Some letters as escapes. */
	private string(text: string): string {
		const plain = JSON.stringify(text);
		const { dice } = this;
		if (plain.includes("\\") || !dice.chance(1, 4)) return plain;
		return plain.replace(/[a-z/=]/gi, (letter) =>
			dice.chance(1, 3) ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter === "/" ? "\\/" : letter,
		);
	}

	private member(name: string, text: string): string {
		return `${this.blank()}${name.startsWith('"') ? name : `"${name}"`}${this.blank()}:${this.blank()}${text}`;
	}

	private shuffled(members: string[]): string[] {
		for (let at = members.length - 1; at > 0; at--) {
			const other = this.dice.range(0, at);
			[members[at], members[other]] = [members[other] as string, members[at] as string];
		}
		return members;
	}

	private blank(): string {
		return this.dice.pick(BLANKS);
	}

	/** One place of a body is odd at most: what is answered then is about that. */
	private now(oneOf: number): boolean {
		return this.wantsOdd && this.oddity === "" && this.dice.chance(1, oneOf);
	}

	private wrong(kind: string): string {
		return this.odd(`${WRONG}${kind}`, this.dice.pick(WRONG_OF[kind] ?? []));
	}

	private odd(oddity: string, text: string): string {
		this.oddity = oddity;
		return text;
	}
}
