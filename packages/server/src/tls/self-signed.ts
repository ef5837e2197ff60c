/** `--auto-tls` and `--peer-auto-tls`: a key and a certificate that vouches for itself, made at the first start and kept in the data folder. */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, writeSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { DerTag, der, derInteger, derOid, derTime } from "./der.ts";

const YEAR_MS = 365 * 24 * 3_600_000;
/** Clocks of a cluster's machines may differ. */
const BACKDATE_MS = 3_600_000;

export interface SelfSignedFiles {
	readonly certFile: string;
	readonly keyFile: string;
}

/** `folder` is there. `hosts`: names and addresses that the certificate is good for. What lies in the folder already is used as it is, as by etcd. */
export function selfSigned(folder: string, hosts: readonly string[], years: number, nowMs: number): SelfSignedFiles {
	const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
	if (existsSync(files.certFile) && existsSync(files.keyFile)) return files;
	const { certificate, key } = makeSelfSigned(hosts, nowMs - BACKDATE_MS, nowMs + years * YEAR_MS);
	// The key first: a certificate without it would be taken for a pair.
	writeSynced(files.keyFile, key);
	writeSynced(files.certFile, certificate);
	return files;
}

export function makeSelfSigned(hosts: readonly string[], fromMs: number, untilMs: number): { certificate: string; key: string } {
	const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const algorithm = der(DerTag.sequence, derOid("1.2.840.10045.4.3.2"));
	const name = der(
		DerTag.sequence,
		der(DerTag.set, der(DerTag.sequence, derOid("2.5.4.10"), der(DerTag.utf8String, Buffer.from("flotilla")))),
	);
	const serial = randomBytes(16);
	serial[0] = ((serial[0] as number) & 0x7f) | 0x01;
	const signed = der(
		DerTag.sequence,
		der(0xa0, derInteger(Uint8Array.of(2))),
		derInteger(serial),
		algorithm,
		name,
		der(DerTag.sequence, derTime(fromMs), derTime(untilMs)),
		name,
		publicKey.export({ type: "spki", format: "der" }),
		der(0xa3, der(DerTag.sequence, ...extensions(hosts))),
	);
	const signature = sign("sha256", signed, privateKey);
	const certificate = der(DerTag.sequence, signed, algorithm, der(DerTag.bitString, Uint8Array.of(0), signature));
	return { certificate: pem("CERTIFICATE", certificate), key: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
}

function extensions(hosts: readonly string[]): readonly Uint8Array[] {
	const alternatives = [...new Set(hosts)].map((host) =>
		isIP(host) === 0 ? der(0x82, Buffer.from(host, "latin1")) : der(0x87, addressBytes(host)),
	);
	const purposes = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"].map(derOid);
	return [
		// No key usage is named: with one that does not sign certificates, OpenSSL would not take it as its own issuer.
		extension("2.5.29.37", der(DerTag.sequence, ...purposes)),
		extension("2.5.29.19", der(DerTag.sequence), true),
		...(alternatives.length === 0 ? [] : [extension("2.5.29.17", der(DerTag.sequence, ...alternatives))]),
	];
}

function extension(oid: string, value: Uint8Array, critical = false): Uint8Array {
	const mark = critical ? [Uint8Array.of(0x01, 0x01, 0xff)] : [];
	return der(DerTag.sequence, derOid(oid), ...mark, der(DerTag.octetString, value));
}

/** Four bytes, or sixteen. */
function addressBytes(address: string): Uint8Array {
	if (isIP(address) === 4) return Uint8Array.from(address.split("."), Number);
	const [head = "", tail] = address.replace(/%.*$/, "").split("::");
	const groups = (text: string | undefined): number[] =>
		(text ?? "")
			.split(":")
			.filter((group) => group !== "")
			.flatMap((group) => {
				if (group.includes(".")) return Array.from(group.split("."), Number);
				const value = Number.parseInt(group, 16);
				return [value >> 8, value & 0xff];
			});
	const [front, back] = [groups(head), groups(tail)];
	return Uint8Array.from([...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back]);
}

function pem(label: string, bytes: Uint8Array): string {
	const lines =
		Buffer.from(bytes)
			.toString("base64")
			.match(/.{1,64}/g) ?? [];
	return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function writeSynced(path: string, text: string): void {
	const descriptor = openSync(path, "w", 0o600);
	try {
		writeSync(descriptor, text);
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
