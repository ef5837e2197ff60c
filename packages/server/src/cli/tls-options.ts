/** TLS out of the settings: what must go together, in etcd's words, and what a side of the member is given. */
import { unknownCipherSuite } from "../tls/cipher-suites.ts";
import { NO_TLS_FILES, type TlsConfig, type TlsVersion } from "../tls/tls-config.ts";
import type { LogNote } from "./flags.ts";
import type { Settings } from "./settings.ts";

const VERSIONS: Readonly<Record<string, TlsVersion>> = { "TLS1.2": "TLSv1.2", "TLS1.3": "TLSv1.3" };

/** Null, or why these settings cannot be used. */
export function refuseTls(settings: Settings): string | null {
	for (const name of ["tls-min-version", "tls-max-version"]) {
		const version = settings.text(name);
		if (version !== "" && VERSIONS[version] === undefined) return `unexpected TLS version ${JSON.stringify(version)}`;
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

export function clientTls(settings: Settings): TlsConfig | null {
	if (isAuto(settings, "auto-tls", "cert-file", "trusted-ca-file")) return selfSigned(settings);
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
	if (isAuto(settings, "peer-auto-tls", "peer-cert-file", "peer-trusted-ca-file")) return selfSigned(settings);
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

/** A certificate where the URLs do not ask for one is most likely a slip. */
export function tlsWarnings(settings: Settings): readonly LogNote[] {
	const notes: LogNote[] = [];
	for (const [auto, side, cert, ca] of [
		["auto-tls", "client", "cert-file", "trusted-ca-file"],
		["peer-auto-tls", "peer", "peer-cert-file", "peer-trusted-ca-file"],
	] as const) {
		if (settings.flag(auto) && !isAuto(settings, auto, cert, ca)) {
			notes.push({ level: "warn", msg: `ignoring ${side} auto TLS since certs given`, fields: {} });
		}
	}
	for (const [urls, cert] of [
		["listen-client-urls", "cert-file"],
		["listen-peer-urls", "peer-cert-file"],
	] as const) {
		if (settings.text(cert) === "") continue;
		for (const url of settings.list(urls)) {
			if (!url.startsWith("http:")) continue;
			const msg = "scheme is http or unix while key and cert files are present; ignoring key and cert files";
			notes.push({ level: "warn", msg, fields: { url } });
		}
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

/** Certificates that are given win. */
function isAuto(settings: Settings, auto: string, cert: string, ca: string): boolean {
	return settings.flag(auto) && settings.text(cert) === "" && settings.text(ca) === "";
}

function selfSigned(settings: Settings): TlsConfig {
	return { ...versions(settings), selfSignedYears: settings.number("self-signed-cert-validity") };
}

function ifAny(config: TlsConfig): TlsConfig | null {
	return config.certFile === "" && config.trustedCaFile === "" ? null : config;
}
