/** What was asked for, whichever way: values of the flags that were given, over the defaults of the table. */
import { fail } from "@flotilla/base";
import { FEATURE_GATES, FLAG_TABLE, type FlagRow, RENAMED_FLAGS, RENAMED_GATES } from "./flag-table.ts";
import { INT64_MAX, INT64_MIN, parseDecimalUint32, parseGoBoolean, parseGoDuration, parseGoInteger, UINT64_MAX } from "./go-values.ts";
import { parseMemberUrls } from "./member-urls.ts";
import { bad, good, type Parsed } from "./parsed.ts";

export type FlagValue = string | number | boolean | readonly string[];

const OLD_PREFIX = "experimental-";

/** All names that may be given: the table's, and the old names of some, with rows of their own. */
export const KNOWN_FLAGS: ReadonlyMap<string, FlagRow> = new Map(
	[
		...FLAG_TABLE,
		...RENAMED_FLAGS.map((name) => ({ ...tableRow(name), name: OLD_PREFIX + name })),
		...Object.keys(RENAMED_GATES).map(gateRow),
	].map((row) => [row.name, row]),
);

/** Values that were given. The newest of several for one name counts. */
export class Settings {
	private readonly values = new Map<string, FlagValue>();

	put(name: string, value: FlagValue): void {
		this.values.set(name, value);
	}

	isGiven(name: string): boolean {
		return this.values.has(name);
	}

	get given(): ReadonlyArray<readonly [FlagRow, FlagValue]> {
		return [...this.values].map(([name, value]) => [knownRow(name), value]);
	}

	text(name: string): string {
		return this.value(name) as string;
	}

	number(name: string): number {
		return this.value(name) as number;
	}

	flag(name: string): boolean {
		return this.value(name) as boolean;
	}

	list(name: string): readonly string[] {
		return this.value(name) as readonly string[];
	}

	/**
	 * Carries values given under old names over to the present ones. Null, or what is wrong: a setting under both names could
	 * mean either.
	 */
	foldOldNames(): string | null {
		for (const [row, value] of this.given) {
			if (!row.name.startsWith(OLD_PREFIX)) continue;
			const name = row.name.slice(OLD_PREFIX.length);
			const gate = RENAMED_GATES[name];
			if (gate === undefined) {
				if (this.isGiven(name)) return `both --${row.name} and --${name} flags are set. Use only --${name}`;
				this.put(name, value);
			} else {
				const gates = this.list("feature-gates");
				if (gates.some((setting) => setting.startsWith(`${gate}=`))) {
					return `both --${row.name} and --feature-gates=${gate} are set. Use only --feature-gates`;
				}
				this.put("feature-gates", [...gates, `${gate}=${String(value)}`]);
			}
			this.values.delete(row.name);
		}
		return null;
	}

	private value(name: string): FlagValue {
		const row = knownRow(name);
		const value = this.values.get(name);
		const absent = value === undefined || (row.kind === "urls" && (value as readonly string[]).length === 0);
		return absent ? standardValue(row) : value;
	}
}

/** The value that the text means for this flag, or why it means none, in the words of etcd. */
export function parseFlagValue(row: FlagRow, text: string): Parsed<FlagValue> {
	switch (row.kind) {
		case "string":
		case "forgotten":
			return good(text);
		case "boolean":
			return parseGoBoolean(text);
		case "uint":
			return parseGoInteger(text, 0n, UINT64_MAX);
		case "int":
			return parseGoInteger(text, INT64_MIN, INT64_MAX);
		case "uint32":
			return parseDecimalUint32(text);
		case "duration":
			return parseGoDuration(text);
		case "urls":
			return text === "" ? good([]) : parseUrlsOnce(text);
		case "list":
			return good(text === "" ? [] : [...new Set(text.split(","))].sort());
		case "choice":
			return row.choices?.includes(text) === true ? good(text) : bad("invalid value");
		case "gates":
			return parseGates(text);
	}
}

/** Whether a value asks for nothing but the default. */
export function isStandard(row: FlagRow, value: FlagValue): boolean {
	return [row.standard, ...(row.sameAsStandard ?? [])].some((text) => {
		const parsed = parseFlagValue(row, text);
		return parsed.ok && JSON.stringify(parsed.value) === JSON.stringify(value);
	});
}

export function knownRow(name: string): FlagRow {
	return KNOWN_FLAGS.get(name) ?? fail("a setting has a row in the table", { name });
}

function standardValue(row: FlagRow): FlagValue {
	const parsed = parseFlagValue(row, row.standard);
	if (!parsed.ok) fail("the default of a flag is a value of it", { flag: row.name, reason: parsed.reason });
	return parsed.value;
}

/** A place that is named twice is listened on once, as by etcd. */
function parseUrlsOnce(text: string): Parsed<readonly string[]> {
	const urls = parseMemberUrls(text);
	return urls.ok ? good([...new Set(urls.value)]) : urls;
}

function parseGates(text: string): Parsed<readonly string[]> {
	const settings = text
		.split(",")
		.map((setting) => setting.trim())
		.filter((setting) => setting !== "");
	for (const setting of settings) {
		const [name = "", value] = setting.split("=", 2);
		if (!Object.hasOwn(FEATURE_GATES, name)) return bad(`unrecognized feature gate: ${name}`);
		if (value === undefined) return bad(`missing bool value for ${name}`);
		if (!parseGoBoolean(value).ok) return bad(`invalid value of ${name}=${value}, err: parse error`);
	}
	return good(settings);
}

function tableRow(name: string): FlagRow {
	return FLAG_TABLE.find((row) => row.name === name) ?? fail("an old name belongs to a flag", { name });
}

function gateRow(name: string): FlagRow {
	const gate = RENAMED_GATES[name] ?? fail("an old name belongs to a gate", { name });
	const { standard, support } = FEATURE_GATES[gate] ?? fail("a renamed gate exists", { gate });
	return {
		name: OLD_PREFIX + name,
		group: "Tuning",
		kind: "boolean",
		standard: String(standard),
		support,
		help: `Use --feature-gates=${gate}.`,
	};
}
