/**
 * What a line of a scenario may say to its fault besides the times. Each fault declares its details once: they are read by that, told by
 * `--list` and by docs/chaos.md, and the fault itself is given nothing else.
 */

/** Whom a line may name besides single members. */
export const CHOICES = ["leader", "follower", "one", "minority", "majority", "all"] as const;

export interface WhoDetail {
	readonly kind: "who";
	readonly standard: (typeof CHOICES)[number];
}

/** One member by its name; it must be given. */
export interface MemberDetail {
	readonly kind: "member";
}

export interface WordDetail<Word extends string = string> {
	readonly kind: "word";
	readonly of: readonly Word[];
	readonly standard: Word;
}

export interface WholeDetail {
	readonly kind: "whole";
	readonly min: number;
	readonly max: number;
	readonly unit: string;
	readonly standard: number;
}

/** False unless the line says otherwise. */
export interface FlagDetail {
	readonly kind: "flag";
}

/** A text that `reads` takes; it must be given. */
export interface TextDetail {
	readonly kind: "text";
	/** In words, what it takes. */
	readonly allowed: string;
	readonly reads: (text: string) => boolean;
}

export type Detail = WhoDetail | MemberDetail | WordDetail | WholeDetail | FlagDetail | TextDetail;
export type DetailTable = Readonly<Record<string, Detail>>;

/** What a line says, with the standard for all that it does not say. */
export type Details = Readonly<Record<string, string | number | boolean>>;

/** The same with the types that a table declares. */
export type DetailsOf<Table extends DetailTable> = {
	readonly [Name in keyof Table]: Table[Name] extends WholeDetail
		? number
		: Table[Name] extends FlagDetail
			? boolean
			: Table[Name] extends WordDetail<infer Word>
				? Word
				: string;
};

export const who = (standard: WhoDetail["standard"]): WhoDetail => ({ kind: "who", standard });
export const flag: FlagDetail = { kind: "flag" };

export function word<const Word extends string>(standard: Word, ...others: readonly Word[]): WordDetail<Word> {
	return { kind: "word", of: [standard, ...others], standard };
}

export function whole(standard: number, { min, max, unit }: Pick<WholeDetail, "min" | "max" | "unit">): WholeDetail {
	return { kind: "whole", min, max, unit, standard };
}

/** Null when it must be given. */
export function standardOf(detail: Detail): string | number | boolean | null {
	switch (detail.kind) {
		case "who":
		case "word":
		case "whole":
			return detail.standard;
		case "flag":
			return false;
		case "member":
		case "text":
			return null;
	}
}

/** Null for what the detail does not take. `members`: how many the cluster has. */
export function readDetail(detail: Detail, value: unknown, members: number): string | number | boolean | null {
	switch (detail.kind) {
		case "who":
			return CHOICES.find((choice) => choice === value) ?? memberName(value, members);
		case "member":
			return memberName(value, members);
		case "word":
			return detail.of.find((one) => one === value) ?? null;
		case "whole":
			return isWhole(value, detail) ? value : null;
		case "flag":
			return typeof value === "boolean" ? value : null;
		case "text":
			return typeof value === "string" && detail.reads(value) ? value : null;
	}
}

/** In words, what the detail takes. `last`: the last member's name. */
export function allowedBy(detail: Detail, last: string): string {
	switch (detail.kind) {
		case "who":
			return oneOf([...CHOICES, names(last)]);
		case "member":
			return names(last);
		case "word":
			return oneOf(detail.of);
		case "whole":
			return `${wholeFrom(detail)}${detail.unit === "" ? "" : ` (${detail.unit})`}`;
		case "flag":
			return "true or false";
		case "text":
			return detail.allowed;
	}
}

export function isWhole(value: unknown, { min, max }: { readonly min: number; readonly max: number }): value is number {
	return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

export function wholeFrom({ min, max }: { readonly min: number; readonly max: number }): string {
	return `a whole number from ${min} to ${max}`;
}

export function oneOf(words: readonly string[]): string {
	return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function names(last: string): string {
	return last === "m1" ? "m1" : `a member's name from m1 to ${last}`;
}

function memberName(value: unknown, members: number): string | null {
	const [, number = ""] = typeof value === "string" ? (/^m([1-9])$/.exec(value) ?? []) : [];
	return number !== "" && Number(number) <= members ? `m${number}` : null;
}
