/** `--config-file`: YAML (JSON is part of it) whose keys are the names of the flags. Unknown keys are ignored, as by etcd. */
import type { FlagKind, FlagRow } from "./flag-table.ts";
import { bad, good, type Parsed } from "./parsed.ts";
import { type FlagValue, KNOWN_FLAGS, knownRow, parseFlagValue, Settings } from "./settings.ts";

/** `parseYaml` throws on text that is no YAML; handed in so that nobody pays for loading a parser who has no file. */
export function readConfigFile(text: string, parseYaml: (text: string) => unknown): Parsed<Settings> {
	let parsed: unknown;
	try {
		parsed = parseYaml(text);
	} catch (error) {
		if ((error as { readonly code?: unknown }).code === "MULTIPLE_DOCS")
			return bad("cannot use it: need one YAML document, and it holds several");
		return bad(`cannot read it as YAML: ${(error as Error).message.split("\n")[0]}`);
	}
	const settings = new Settings();
	if (parsed === null || parsed === undefined) return good(settings);
	if (!isMap(parsed)) return bad("cannot use it: need a map of flag names to values");
	for (const [key, value] of Object.entries(parsed)) {
		if (value === null) continue;
		const problem = !SECTIONS.has(key) ? putValue(settings, key, value) : putSection(settings, key, value);
		if (problem !== null) return bad(problem);
	}
	return good(settings);
}

/** Maps inside the file: the flag that each of their keys stands for, null for none. */
const SECTIONS: ReadonlyMap<string, (key: string) => string | null> = new Map([
	["client-transport-security", (key) => CLIENT_KEYS.get(key) ?? (KNOWN_FLAGS.get(key)?.group === "Security" ? key : null)],
	["peer-transport-security", (key) => PEER_KEYS.get(key) ?? (KNOWN_FLAGS.has(`peer-${key}`) ? `peer-${key}` : null)],
	["discovery-config", (key) => (KNOWN_FLAGS.has(`discovery-${key}`) ? `discovery-${key}` : null)],
	["socket-options", (key) => (KNOWN_FLAGS.has(`socket-${key}`) ? `socket-${key}` : null)],
]);
const CLIENT_KEYS: ReadonlyMap<string, string> = new Map([["allowed-hostname", "client-cert-allowed-hostname"]]);
const PEER_KEYS: ReadonlyMap<string, string> = new Map([
	["allowed-cn", "peer-cert-allowed-cn"],
	["allowed-hostname", "peer-cert-allowed-hostname"],
	["skip-client-san-verification", "peer-skip-client-san-verification"],
]);
/** Keys whose value is a YAML list; every other list is a comma-separated text. */
const YAML_LISTS: readonly string[] = [
	"log-outputs",
	"discovery-endpoints",
	"client-cert-allowed-hostname",
	"peer-cert-allowed-cn",
	"peer-cert-allowed-hostname",
	"cipher-suites",
];

function putSection(settings: Settings, section: string, value: unknown): string | null {
	if (!isMap(value)) return `invalid ${section}`;
	for (const [key, inner] of Object.entries(value)) {
		const name = SECTIONS.get(section)?.(key) ?? null;
		if (name === null || inner === null) continue;
		const problem = putValue(settings, name, inner);
		if (problem !== null) return problem;
	}
	return null;
}

function putValue(settings: Settings, key: string, value: unknown): string | null {
	const row = KNOWN_FLAGS.get(key);
	if (row === undefined || row.kind === "forgotten") return null;
	const parsed = convert(knownRow(key), value);
	if (!parsed.ok) return parsed.reason;
	settings.put(key, parsed.value);
	return null;
}

function convert(row: FlagRow, value: unknown): Parsed<FlagValue> {
	const what = row.secret === true ? "that" : JSON.stringify(value);
	const mismatch = bad(`cannot use ${what} as ${row.name}: need ${NEEDS[row.kind]}`);
	if (YAML_LISTS.includes(row.name)) {
		const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
		return isList
			? good([...new Set(value as string[])].sort())
			: bad(`cannot use ${JSON.stringify(value)} as ${row.name}: need a list of texts`);
	}
	switch (row.kind) {
		case "boolean":
			return typeof value === "boolean" ? good(value) : mismatch;
		case "uint":
		case "uint32":
		case "int":
			return Number.isInteger(value) ? orReason(row, String(value), row.name) : mismatch;
		case "duration":
			return Number.isInteger(value) ? good((value as number) / 1e6) : mismatch;
		case "choice":
			// The file is read without the flag's fixed set; the check of all settings finds a wrong word.
			return typeof value === "string" ? good(value) : mismatch;
		case "string":
		case "list":
		case "urls":
		case "gates":
		case "forgotten":
			return typeof value === "string" ? orReason(row, value, row.name) : mismatch;
	}
}

function orReason(row: FlagRow, text: string, key: string): Parsed<FlagValue> {
	const parsed = parseFlagValue(row, text);
	if (parsed.ok) return parsed;
	return bad(
		row.kind === "urls" ? `unexpected error setting up ${key}: ${parsed.reason}` : `cannot use ${text} as ${key}: ${parsed.reason}`,
	);
}

const NEEDS: Readonly<Record<FlagKind, string>> = {
	boolean: "true or false",
	uint: "a whole number",
	uint32: "a whole number",
	int: "a whole number",
	duration: "a whole number of nanoseconds",
	string: "a text",
	choice: "a text",
	list: "a comma-separated text",
	urls: "a comma-separated text",
	gates: "a comma-separated text",
	forgotten: "a text",
};

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
