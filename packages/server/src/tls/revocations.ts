/**
 * Certificates that were revoked: a CRL file, PEM or DER, one list or several. As with etcd it is looked up after the handshake,
 * for every certificate that was shown: a list that has run out of date, or that lacks one of the authorities, keeps nobody
 * out, and a resumed session is looked at like a new one.
 */
import { childrenOf, DerError, type DerNode, DerTag, readDer } from "./der.ts";

/** What of a certificate's chain is looked at, as `getPeerCertificate(true)` gives it. */
export interface ShownCertificate {
	readonly raw?: Buffer;
	readonly issuerCertificate?: ShownCertificate;
}

const CHAIN_MAX = 16;

export class Revocations {
	/** Issuer and serial number of each. */
	private readonly revoked = new Set<string>();

	/** Throws when the bytes are no revocation list. */
	constructor(file: Buffer) {
		for (const list of listsIn(file)) this.add(list);
	}

	get count(): number {
		return this.revoked.size;
	}

	/** Null, or which certificate of the chain was revoked. One whose names cannot be read is taken for revoked. */
	revokedIn(shown: ShownCertificate): string | null {
		let certificate: ShownCertificate | undefined = shown;
		// The chain ends with a certificate that is its own issuer.
		for (let depth = 0; depth < CHAIN_MAX && certificate?.raw !== undefined; depth++) {
			const name = nameOf(certificate.raw);
			if (name === null) return "a certificate cannot be read, and may have been revoked";
			if (this.revoked.has(keyOf(name.issuer, name.serial)))
				return `the certificate with the serial number ${hex(name.serial)} was revoked`;
			if (certificate.issuerCertificate === certificate) return null;
			certificate = certificate.issuerCertificate;
		}
		return null;
	}

	private add(list: Buffer): void {
		const [signed] = childrenOf(readDer(list));
		const parts = [...childrenOf(signed)];
		if (parts[0]?.tag === DerTag.integer) parts.shift();
		const [algorithm, issuer, thisUpdate, ...rest] = parts;
		if (algorithm?.tag !== DerTag.sequence || issuer?.tag !== DerTag.sequence || !isTime(thisUpdate))
			throw new DerError("no revocation list");
		const entries = rest[isTime(rest[0]) ? 1 : 0];
		if (entries?.tag !== DerTag.sequence) return;
		for (const entry of childrenOf(entries)) {
			const [serial] = childrenOf(entry);
			if (serial?.tag !== DerTag.integer) throw new DerError("a revoked certificate without a serial number");
			this.revoked.add(keyOf(issuer, serial));
		}
	}
}

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;

function listsIn(file: Buffer): readonly Buffer[] {
	const text = file.toString("latin1");
	if (!text.includes("-----BEGIN")) return [file];
	const lists = [...text.matchAll(PEM)].map((match) => Buffer.from(match[1] ?? "", "base64"));
	if (lists.length === 0) throw new DerError("no revocation list");
	return lists;
}

function nameOf(certificate: Buffer): { readonly issuer: DerNode; readonly serial: DerNode } | null {
	try {
		const [signed] = childrenOf(readDer(certificate));
		const parts = childrenOf(signed);
		const [serial, , issuer] = parts[0]?.tag === DerTag.integer ? parts : parts.slice(1);
		return serial === undefined || issuer === undefined ? null : { issuer, serial };
	} catch (error) {
		if (error instanceof DerError) return null;
		throw error;
	}
}

function isTime(node: DerNode | undefined): boolean {
	return node?.tag === DerTag.utcTime || node?.tag === DerTag.generalizedTime;
}

function keyOf(issuer: DerNode, serial: DerNode): string {
	return `${hex(issuer)}/${hex(serial)}`;
}

function hex({ content }: DerNode): string {
	return Buffer.from(content).toString("hex");
}
