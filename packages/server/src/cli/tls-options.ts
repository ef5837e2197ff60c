/** TLS out of the settings: what must go together, in etcd's words, and what a side of the member is given. */
import { unknownCipherSuite } from "../tls/cipher-suites.ts";
import { NO_TLS_FILES, type TlsConfig, type TlsVersion } from "../tls/tls-config.ts";
import type { LogNote } from "./flags.ts";
import { knownRow, type Settings } from "./settings.ts";

const VERSIONS: Readonly<Record<string, TlsVersion>> = { "TLS1.2": "TLSv1.2", "TLS1.3": "TLSv1.3" };

/** The flags of one side. */
interface Side {
	readonly name: "client" | "peer";
	readonly auto: string;
	readonly cert: string;
	readonly key: string;
	readonly urls: string;
	/** Whoever connects must show a certificate. */
	readonly demand: string;
	readonly authorities: string;
	/** What a certificate that is shown must be or not be. */
	readonly revoked: string;
	readonly names: readonly string[];
}

const CLIENTS: Side = {
	name: "client",
	auto: "auto-tls",
	cert: "cert-file",
	key: "key-file",
	urls: "listen-client-urls",
	demand: "client-cert-auth",
	authorities: "trusted-ca-file",
	revoked: "client-crl-file",
	names: ["client-cert-allowed-hostname"],
};
const PEERS: Side = {
	name: "peer",
	auto: "peer-auto-tls",
	cert: "peer-cert-file",
	key: "peer-key-file",
	urls: "listen-peer-urls",
	demand: "peer-client-cert-auth",
	authorities: "peer-trusted-ca-file",
	revoked: "peer-crl-file",
	names: ["peer-cert-allowed-cn", "peer-cert-allowed-hostname"],
};
const DIAL_CERT = "peer-client-cert-file";

/** Null, or why these settings cannot be used. */
export function refuseTls(settings: Settings): string | null {
	for (const name of ["tls-min-version", "tls-max-version"]) {
		const version = settings.text(name);
		if (version !== "" && !Object.hasOwn(VERSIONS, version)) return `unexpected TLS version ${JSON.stringify(version)}`;
	}
	if (settings.text("tls-min-version") === "TLS1.3" && settings.text("tls-max-version") === "TLS1.2") {
		return "min version (TLS1.3) is greater than max version (TLS1.2)";
	}
	const suites = settings.list("cipher-suites");
	const unknown = unknownCipherSuite(suites);
	if (unknown !== null) return `unexpected TLS cipher suite ${JSON.stringify(unknown)}`;
	if (suites.length > 0 && settings.text("tls-min-version") === "TLS1.3") {
		return "cipher suites cannot be configured when only TLS1.3 is enabled";
	}
	const [names, hosts] = [settings.list("peer-cert-allowed-cn"), settings.list("peer-cert-allowed-hostname")];
	if (names.length > 0 && hosts.length > 0) {
		return `AllowedCN and AllowedHostname are mutually exclusive (cn=[${names.join(" ")}], hostname=[${hosts.join(" ")}])`;
	}
	for (const auto of ["auto-tls", "peer-auto-tls"]) {
		if (settings.flag(auto) && settings.number("self-signed-cert-validity") === 0) {
			return "selfSignedCertValidity is invalid,it should be greater than 0";
		}
	}
	const open = refuseOpenDoor(settings, CLIENTS) ?? refuseOpenDoor(settings, PEERS);
	if (open !== null) return open;
	for (const [cert, key] of [
		["cert-file", "key-file"],
		["peer-cert-file", "peer-key-file"],
		["peer-client-cert-file", "peer-client-key-file"],
	] as const) {
		const [certFile, keyFile] = [settings.text(cert), settings.text(key)];
		if ((certFile === "") !== (keyFile === "")) return `KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`;
	}
	for (const url of settings.list("listen-client-urls")) {
		if (url.startsWith("https:") && settings.text("cert-file") === "" && !settings.flag("auto-tls")) {
			return `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url} with HTTPS scheme`;
		}
	}
	for (const url of settings.list("listen-peer-urls")) {
		if (url.startsWith("https:") && settings.text("peer-cert-file") === "" && !settings.flag("peer-auto-tls")) {
			return `cannot listen on TLS for ${url}: KeyFile and CertFile are not presented`;
		}
	}
	return null;
}

/**
 * Deviation: etcd forgets all that was demanded of whoever connects when it makes the certificate itself, and says nothing. Who
 * asked for a lock would have an open door.
 */
function refuseOpenDoor(settings: Settings, side: Side): string | null {
	if (!isMade(settings, side)) return null;
	const inVain = [side.demand, side.authorities, side.revoked, ...side.names].filter((name) => isAsked(settings, name));
	if (inVain.length === 0) return null;
	const flags = inVain.map((name) => `--${name}`).join(", ");
	const them = inVain.length === 1 ? "it" : "them";
	return `--${side.auto} lets everybody in, in spite of ${flags}: give --${side.cert} and --${side.key} as well, or take ${them} away`;
}

export function clientTls(settings: Settings): TlsConfig | null {
	if (isMade(settings, CLIENTS)) return selfSigned(settings);
	return ifAny({
		...versions(settings),
		allowedHostNames: settings.list("client-cert-allowed-hostname"),
		certFile: settings.text("cert-file"),
		keyFile: settings.text("key-file"),
		trustedCaFile: settings.text("trusted-ca-file"),
		crlFile: settings.text("client-crl-file"),
		clientCertAuth: settings.flag("client-cert-auth"),
	});
}

export function peerTls(settings: Settings): TlsConfig | null {
	if (isMade(settings, PEERS)) return selfSigned(settings);
	return ifAny({
		...versions(settings),
		certFile: settings.text("peer-cert-file"),
		keyFile: settings.text("peer-key-file"),
		dialCertFile: settings.text("peer-client-cert-file"),
		dialKeyFile: settings.text("peer-client-key-file"),
		trustedCaFile: settings.text("peer-trusted-ca-file"),
		crlFile: settings.text("peer-crl-file"),
		clientCertAuth: settings.flag("peer-client-cert-auth"),
		allowedCommonNames: settings.list("peer-cert-allowed-cn"),
		allowedHostNames: settings.list("peer-cert-allowed-hostname"),
		skipClientSan: settings.flag("peer-skip-client-san-verification"),
	});
}

/** What was asked for and does not come to be: most likely a slip. */
export function tlsWarnings(settings: Settings): readonly LogNote[] {
	return [CLIENTS, PEERS].flatMap((side) => [...certificateWarnings(settings, side), ...plainUrlWarnings(settings, side)]);
}

function certificateWarnings(settings: Settings, side: Side): LogNote[] {
	const { name, auto, cert, demand, authorities } = side;
	const notes: LogNote[] = [];
	const warn = (msg: string): void => void notes.push({ level: "warn", msg, fields: {} });
	if (isMade(settings, side)) {
		if (name === "peer" && isAsked(settings, DIAL_CERT)) warn(`ignoring --${DIAL_CERT}: --${auto} makes that certificate, too`);
		return notes;
	}
	if (settings.flag(auto)) warn(`ignoring ${name} auto TLS since certs given`);
	if (settings.text(cert) === "" || isAsked(settings, demand) || isAsked(settings, authorities)) return notes;
	// Those that dial look up the list of peers, too.
	for (const inVain of name === "client" ? [side.revoked, ...side.names] : side.names) {
		if (isAsked(settings, inVain))
			warn(`--${inVain} has no effect: without --${demand} or --${authorities} nobody is asked for a certificate`);
	}
	return notes;
}

function plainUrlWarnings(settings: Settings, { name, cert, demand, urls }: Side): LogNote[] {
	const notes: LogNote[] = [];
	const scheme = name === "client" ? "scheme is http or unix" : "scheme is HTTP";
	for (const url of settings.list(urls)) {
		if (!url.startsWith("http:")) continue;
		const warn = (rest: string): void =>
			void notes.push({ level: "warn", msg: `${scheme} while ${rest}`, fields: { [`${name}-url`]: url } });
		if (settings.text(cert) !== "") warn("key and cert files are present; ignoring key and cert files");
		if (settings.flag(demand)) warn(`--${demand} is enabled; ignoring client cert auth for this URL`);
	}
	return notes;
}

function versions(settings: Settings): TlsConfig {
	return {
		...NO_TLS_FILES,
		minVersion: VERSIONS[settings.text("tls-min-version")] ?? "TLSv1.2",
		maxVersion: VERSIONS[settings.text("tls-max-version")] ?? "TLSv1.3",
		cipherSuites: settings.list("cipher-suites"),
	};
}

/** A certificate that is given wins. */
function isMade(settings: Settings, { auto, cert }: Side): boolean {
	return settings.flag(auto) && settings.text(cert) === "";
}

/** Whether a switch is on, a file named, or a list not empty. */
function isAsked(settings: Settings, name: string): boolean {
	const { kind } = knownRow(name);
	if (kind === "boolean") return settings.flag(name);
	return kind === "list" ? settings.list(name).length > 0 : settings.text(name) !== "";
}

function selfSigned(settings: Settings): TlsConfig {
	return { ...versions(settings), selfSignedYears: settings.number("self-signed-cert-validity") };
}

function ifAny(config: TlsConfig): TlsConfig | null {
	return config.certFile === "" && config.trustedCaFile === "" ? null : config;
}
