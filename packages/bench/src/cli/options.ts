/** The command line of `flotilla bench`, read once into plain data. */
import { parseArgs } from "node:util";
import { type LoginWish, loginWish } from "@flotilla/server/internal";
import { authorityOf, splitEndpoint } from "../client/access.ts";
import type { Aim } from "../client/target.ts";
import { type Equipment, FEATURES, nameOf, readEquipment } from "../compare/equipment.ts";
import { DEFAULT_SETTINGS, LOAD_NAMES, type LoadName, type Settings } from "../load/settings.ts";

export const USAGE = `Usage: flotilla bench <load> [flags]       measures any server that speaks the etcd v3 API
       flotilla bench compare [flags]      flotilla beside etcd, each with three members, in turn on this machine

Loads: ${LOAD_NAMES.join(", ")}

  --endpoints LIST     host:port,... (default: ETCDCTL_ENDPOINTS, then 127.0.0.1:2379)
  --cacert, --cert, --key FILE, --insecure-skip-tls-verify
                       as etcdctl takes them; TLS is for endpoints with https://
  --user NAME          the password is the first line of --password-file FILE, or stands in the variable ETCDCTL_PASSWORD;
                       NAME:PASSWORD is taken as well, and can be read by every process of this machine
  --to WHOM            leader (default), follower, or all endpoints in turn
  --clients N          calls under way at once; watchers, or leases (default 1)
  --connections N      over so many connections (default 1)
  --streams N          streams that the watchers share (default 10)
  --ahead N            puts that may be under way, and ahead of the watchers (default 16)
  --rate N             calls a second of an open loop, puts a second of watch loads; latency counts from when a call was due
                       (default: closed loop, each client asks again when it was answered)
  --seconds N          measured time (default 10)
  --operations N       the measured time ends earlier when so many were answered
  --warm-up N          seconds before it (default 2)
  --keys N             distinct keys, taken in turn (default 1)
  --key-bytes N        (default 8)
  --value-bytes N      (default 256)
  --serializable       reads by the asked member alone
  --reads SHARE        share of reads in the mixed load (default 0.8)
  --sweep              the same load at 1, 2, 4 ... --clients: latency by load, and where its knee is
  --taps LIST          data folders of flotilla's members on this machine: stages of a write, and cluster events
  --json FILE          everything that was measured ("-": standard output)
  --html FILE          one page with plots, nothing else needed to read it

compare takes --rounds N (default 3), --seconds, --warm-up, --rows LIST, --json, --html; "flotilla bench compare --rows list" names the rows.
  --with LIST          flotilla beside itself, with one thing and another: plain, auth, tls, metrics, or several joined by "+"; ratios
                       are to the first of the list: --with plain,auth,tls,metrics,auth+tls+metrics
`;

export interface LoadCall {
	readonly kind: "load";
	readonly settings: Settings;
	readonly endpoints: readonly string[];
	readonly access: AccessFlags;
	readonly sweep: boolean;
	readonly taps: readonly string[];
	readonly json: string | null;
	readonly html: string | null;
}

/** Files by their names. */
export interface AccessFlags {
	readonly cacert: string | null;
	readonly cert: string | null;
	readonly key: string | null;
	readonly trustAnybody: boolean;
	readonly user: LoginWish | null;
}

export interface CompareCall {
	readonly kind: "compare";
	readonly rounds: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
	/** Empty: all. */
	readonly rows: readonly string[];
	/** Empty: beside etcd. */
	readonly equipments: readonly Equipment[];
	readonly json: string | null;
	readonly html: string | null;
}

export type BenchCall = LoadCall | CompareCall | { readonly kind: "usage"; readonly problem: string };

const FLAGS = {
	endpoints: { type: "string" },
	cacert: { type: "string" },
	cert: { type: "string" },
	key: { type: "string" },
	"insecure-skip-tls-verify": { type: "boolean" },
	user: { type: "string" },
	"password-file": { type: "string" },
	to: { type: "string" },
	clients: { type: "string" },
	connections: { type: "string" },
	streams: { type: "string" },
	ahead: { type: "string" },
	rate: { type: "string" },
	seconds: { type: "string" },
	operations: { type: "string" },
	"warm-up": { type: "string" },
	keys: { type: "string" },
	"key-bytes": { type: "string" },
	"value-bytes": { type: "string" },
	serializable: { type: "boolean" },
	reads: { type: "string" },
	sweep: { type: "boolean" },
	taps: { type: "string" },
	json: { type: "string" },
	html: { type: "string" },
	rounds: { type: "string" },
	rows: { type: "string" },
	with: { type: "string" },
	help: { type: "boolean", short: "h" },
} as const;

const COMPARE_FLAGS: ReadonlySet<string> = new Set(["rounds", "seconds", "warm-up", "rows", "with", "json", "html"]);
const ONLY_COMPARE: ReadonlySet<string> = new Set(["rounds", "rows", "with"]);

type Values = { readonly [Name in keyof typeof FLAGS]?: string | boolean | undefined };

/** A mistake in the call. */
class Mistake extends Error {}

export function readBenchCall(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): BenchCall {
	try {
		const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: true });
		if (values.help === true) return { kind: "usage", problem: "" };
		const [what, ...more] = positionals;
		if (what === undefined) throw new Mistake("what is to be measured?");
		if (more.length > 0) throw new Mistake(`too many words: ${more.join(" ")}`);
		if (what === "compare") return readCompare(values);
		if (!isLoad(what)) throw new Mistake(`${what} is no load`);
		for (const name of ONLY_COMPARE) if (values[name as keyof Values] !== undefined) throw new Mistake(`--${name} belongs to compare`);
		return readLoad(what, values, environment);
	} catch (error) {
		return { kind: "usage", problem: (error as Error).message };
	}
}

function readLoad(load: LoadName, values: Values, environment: Readonly<Record<string, string | undefined>>): LoadCall {
	const text = (name: keyof Values): string | undefined => values[name] as string | undefined;
	const endpoints = (text("endpoints") ?? environment.ETCDCTL_ENDPOINTS ?? "127.0.0.1:2379").split(",").map((each) => {
		const address = splitEndpoint(each.trim());
		return `${address.secure ? "https://" : ""}${authorityOf(address)}`;
	});
	const defaults = load.startsWith("watch") ? { ...DEFAULT_SETTINGS, rate: load === "watch-latency" ? 100 : 0 } : DEFAULT_SETTINGS;
	const settings: Settings = {
		load,
		aim: aimOf(text("to") ?? "leader"),
		clients: whole("clients", text("clients"), defaults.clients, 1),
		connections: whole("connections", text("connections"), defaults.connections, 1),
		streams: whole("streams", text("streams"), defaults.streams, 1),
		ahead: whole("ahead", text("ahead"), defaults.ahead, 1),
		rate: whole("rate", text("rate"), defaults.rate, 0),
		seconds: whole("seconds", text("seconds"), defaults.seconds, 1),
		operations: whole("operations", text("operations"), defaults.operations, 0),
		warmUpSeconds: whole("warm-up", text("warm-up"), defaults.warmUpSeconds, 0),
		keys: whole("keys", text("keys"), defaults.keys, 1),
		keyBytes: whole("key-bytes", text("key-bytes"), defaults.keyBytes, 1),
		valueBytes: whole("value-bytes", text("value-bytes"), defaults.valueBytes, 0),
		serializable: values.serializable === true,
		readShare: share("reads", text("reads"), defaults.readShare),
	};
	if (settings.keys > 10 ** settings.keyBytes) throw new Mistake(`${settings.keys} keys need more than ${settings.keyBytes} bytes each`);
	if (values.ahead !== undefined && !load.startsWith("watch")) throw new Mistake(`--ahead does not go with ${load}`);
	if (values.sweep === true && settings.rate > 0) throw new Mistake("--sweep is a closed loop: it does not go with --rate");
	if (values.sweep === true && (load.startsWith("watch") || load.startsWith("lease")))
		throw new Mistake(`--sweep does not go with ${load}`);
	const taps = text("taps")?.split(",") ?? [];
	const access: AccessFlags = {
		cacert: text("cacert") ?? null,
		cert: text("cert") ?? null,
		key: text("key") ?? null,
		trustAnybody: values["insecure-skip-tls-verify"] === true,
		user: loginOf(text("user"), text("password-file"), environment),
	};
	if ((access.cert === null) !== (access.key === null)) throw new Mistake("--cert and --key go together");
	return {
		kind: "load",
		settings,
		endpoints,
		access,
		taps,
		sweep: values.sweep === true,
		json: text("json") ?? null,
		html: text("html") ?? null,
	};
}

function readCompare(values: Values): CompareCall {
	const text = (name: keyof Values): string | undefined => values[name] as string | undefined;
	const stranger = Object.keys(values).find((name) => !COMPARE_FLAGS.has(name));
	if (stranger !== undefined) throw new Mistake(`--${stranger} does not belong to compare`);
	return {
		kind: "compare",
		rounds: whole("rounds", text("rounds"), 3, 1),
		seconds: whole("seconds", text("seconds"), 10, 1),
		warmUpSeconds: whole("warm-up", text("warm-up"), 3, 0),
		rows: text("rows")?.split(",") ?? [],
		equipments: equipmentsOf(text("with")),
		json: text("json") ?? null,
		html: text("html") ?? null,
	};
}

function equipmentsOf(text: string | undefined): readonly Equipment[] {
	if (text === undefined) return [];
	const equipments = text.split(",").map((part) => {
		const equipment = readEquipment(part);
		if (equipment === null) throw new Mistake(`--with ${part}: need plain, or ${FEATURES.join(", ")}, several joined by "+"`);
		return equipment;
	});
	const names = new Set(equipments.map(nameOf));
	if (names.size < 2 || names.size < equipments.length) throw new Mistake(`--with ${text}: need two or more that differ`);
	return equipments;
}

function isLoad(name: string): name is LoadName {
	return LOAD_NAMES.includes(name as LoadName);
}

function loginOf(
	user: string | undefined,
	passwordFile: string | undefined,
	environment: Readonly<Record<string, string | undefined>>,
): AccessFlags["user"] {
	const flags = { flag: "--user", fileFlag: "--password-file", variable: "ETCDCTL_PASSWORD" };
	return loginWish({ ...flags, user, passwordFile }, environment) ?? null;
}

function aimOf(text: string): Aim {
	if (text === "leader" || text === "follower" || text === "all") return text;
	throw new Mistake(`--to ${text}: need leader, follower or all`);
}

function whole(name: string, text: string | undefined, otherwise: number, least: number): number {
	if (text === undefined) return otherwise;
	if (!/^\d{1,9}$/.test(text) || Number(text) < least) throw new Mistake(`--${name} ${text}: need a whole number from ${least} on`);
	return Number(text);
}

function share(name: string, text: string | undefined, otherwise: number): number {
	if (text === undefined) return otherwise;
	const value = Number(text);
	if (text === "" || !(value >= 0 && value <= 1)) throw new Mistake(`--${name} ${text}: need a number from 0 to 1`);
	return value;
}
