/**
 * Certificates, keys and authorities as they are in their files now: the files are looked at again every few seconds, so that a
 * renewed certificate holds for the next handshake. Connections that are open go on; files that cannot be read change nothing.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions, type Server } from "node:tls";
import { cipherList } from "./cipher-suites.ts";
import { type KeyMaterial, type NamedFile, verifyKeyMaterial } from "./key-material.ts";
import { Revocations, type ShownCertificate } from "./revocations.ts";
import type { TlsConfig } from "./tls-config.ts";

const LOOK_MS = 5_000;
const TICKET_KEYS_MS = 12 * 3_600_000;
const TICKET_KEY_BYTES = 48;

/** File by file, in the order of `filesOf`. */
type Contents = ReadonlyArray<Buffer | null>;

const CRL_AT = 5;

export class LiveTls {
	readonly config: TlsConfig;
	private contents: Contents;
	private revocations: Revocations | null;
	private readonly servers = new Set<Server>();
	private readonly onProblem: (text: string) => void;
	private readonly looks: NodeJS.Timeout;
	private readonly tickets: NodeJS.Timeout;
	private problem = "";

	/** Throws when a file cannot be read, or is not what it should be. `onProblem`: the same later on, once for each text. */
	constructor(config: TlsConfig, onProblem: (text: string) => void, lookMs: number = LOOK_MS) {
		this.config = config;
		this.onProblem = onProblem;
		this.contents = filesOf(config).map((file) => (file === "" ? null : readFileSync(file)));
		this.revocations = revocationsIn(config, this.contents);
		verifyKeyMaterial(materialIn(config, this.contents));
		createSecureContext(this.serverContext);
		createSecureContext(this.dialContext);
		this.looks = setInterval(() => void this.look(), lookMs).unref();
		this.tickets = setInterval(() => {
			for (const server of this.servers) server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
		}, TICKET_KEYS_MS).unref();
	}

	/** Certificates of whoever connects are demanded and verified. */
	get demandsCertificates(): boolean {
		return this.config.clientCertAuth || this.config.trustedCaFile !== "";
	}

	get serverContext(): SecureContextOptions {
		const [cert, key] = this.contents;
		return { ...this.common(), ...(cert && key ? { cert, key } : {}) };
	}

	/** The other side of a connection that this member opens need not be vouched for by anybody. */
	get trustsAnybody(): boolean {
		return this.config.selfSignedYears > 0;
	}

	/** Null, or which of the certificates shown was revoked. */
	revokedIn(shown: ShownCertificate): string | null {
		return this.revocations?.revokedIn(shown) ?? null;
	}

	/** For connections that this member opens. */
	get dialContext(): SecureContextOptions {
		const [cert, key, dialCert, dialKey] = this.contents;
		const own = dialCert && dialKey ? { cert: dialCert, key: dialKey } : cert && key ? { cert, key } : {};
		return { ...this.common(), ...own };
	}

	/** The server gets what the files hold later. */
	follow(server: Server): void {
		this.servers.add(server);
		server.once("close", () => this.servers.delete(server));
	}

	close(): void {
		clearInterval(this.looks);
		clearInterval(this.tickets);
	}

	private common(): SecureContextOptions {
		const ca = this.contents[4];
		const { minVersion, maxVersion, cipherSuites } = this.config;
		const ciphers = cipherList(cipherSuites);
		return { minVersion, maxVersion, ...(ca ? { ca } : {}), ...(ciphers === "" ? {} : { ciphers }) };
	}

	private async look(): Promise<void> {
		const before = this.contents;
		try {
			const contents = await Promise.all(filesOf(this.config).map((file) => (file === "" ? Promise.resolve(null) : readFile(file))));
			if (contents.every((content, at) => same(content, before[at] ?? null))) return;
			const revocations = revocationsIn(this.config, contents);
			// Half of a renewal, a certificate without its key, is no pair. The next look sees the other half.
			verifyKeyMaterial(materialIn(this.config, contents));
			this.contents = contents;
			createSecureContext(this.serverContext);
			createSecureContext(this.dialContext);
			for (const server of this.servers) server.setSecureContext(this.serverContext);
			this.revocations = revocations;
			this.problem = "";
		} catch (error) {
			this.contents = before;
			const text = error instanceof Error ? error.message : String(error);
			if (text !== this.problem) this.onProblem(text);
			this.problem = text;
		}
	}
}

function filesOf(config: TlsConfig): readonly string[] {
	return [config.certFile, config.keyFile, config.dialCertFile, config.dialKeyFile, config.trustedCaFile, config.crlFile];
}

function materialIn(config: TlsConfig, contents: Contents): KeyMaterial {
	const [cert, key, dialCert, dialKey, authorities] = filesOf(config).map((name, at) => ({ name, content: contents[at] ?? null }));
	const pairs = [
		{ cert, key },
		{ cert: dialCert, key: dialKey },
	] as KeyMaterial["pairs"];
	return { pairs, authorities: authorities as NamedFile };
}

function revocationsIn({ crlFile }: TlsConfig, contents: Contents): Revocations | null {
	const list = contents[CRL_AT] ?? null;
	if (list === null) return null;
	try {
		return new Revocations(list);
	} catch (error) {
		throw new Error(`${crlFile}: cannot read the revocation list: ${error instanceof Error ? error.message : String(error)}`);
	}
}

function same(left: Buffer | null, right: Buffer | null): boolean {
	return left === null || right === null ? left === right : left.equals(right);
}
