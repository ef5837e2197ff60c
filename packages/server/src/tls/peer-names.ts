/** What a verified certificate says of whoever connects: its common name, and whether it may come from where it comes. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { LiveTls } from "./live-tls.ts";

/** Null, or why the connection is refused. */
export async function mayConnect(socket: TLSSocket, tls: LiveTls): Promise<string | null> {
	const { allowedCommonNames, allowedHostNames, skipClientSan } = tls.config;
	if (!tls.demandsCertificates) return null;
	const revoked = tls.revokedIn(socket.getPeerCertificate(true));
	if (revoked !== null) return revoked;
	if (allowedCommonNames.length > 0 && !allowedCommonNames.includes(commonNameOf(socket) ?? "")) {
		return "the certificate's common name is not allowed";
	}
	if (allowedHostNames.length > 0 && !allowedHostNames.some((host) => isGoodFor(socket, host))) {
		return "the certificate is not good for any of the allowed host names";
	}
	if (skipClientSan || (await comesFromItsNames(socket))) return null;
	return `tls: ${JSON.stringify(plainAddress(socket))} does not match the names of the certificate`;
}

/** Undefined where no certificate was demanded or verified. */
export function commonNameOf(socket: TLSSocket): string | undefined {
	if (!socket.authorized) return undefined;
	const name: unknown = socket.getPeerCertificate().subject?.CN;
	return typeof name === "string" && name !== "" ? name : undefined;
}

/** By its alternative names alone, as in Go: a common name is no host name. */
function isGoodFor(socket: TLSSocket, host: string): boolean {
	const certificate = socket.getPeerX509Certificate();
	if (certificate === undefined) return false;
	return (isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host)) !== undefined;
}

/** As etcd's peers check one another: a certificate without names comes from anywhere. */
async function comesFromItsNames(socket: TLSSocket): Promise<boolean> {
	const names = namesOf(socket.getPeerCertificate().subjectaltname ?? "");
	if (names.addresses.length + names.hosts.length === 0) return true;
	const address = plainAddress(socket);
	if (names.addresses.includes(address)) return true;
	for (const host of names.hosts.slice(0, HOSTS_MAX)) {
		const found = await lookup(host, { all: true }).catch(() => []);
		if (found.some((entry) => entry.address === address)) return true;
	}
	return false;
}

const HOSTS_MAX = 16;

function namesOf(alternative: string): { readonly addresses: readonly string[]; readonly hosts: readonly string[] } {
	const entries = alternative.split(", ");
	const of = (kind: string): string[] => entries.filter((entry) => entry.startsWith(kind)).map((entry) => entry.slice(kind.length));
	return { addresses: of("IP Address:").map(compressed), hosts: of("DNS:").filter((host) => /^[a-zA-Z0-9.-]+$/.test(host)) };
}

function plainAddress(socket: TLSSocket): string {
	return (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

/** Certificates print IPv6 addresses in full. */
function compressed(address: string): string {
	if (isIP(address) !== 6) return address;
	return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
