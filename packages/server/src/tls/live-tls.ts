/**
 * Certificates, keys and authorities as they are in their files now: the files are looked at again every few seconds, so that a
 * renewed certificate holds for the next handshake. Connections that are open go on. Each piece is looked at for itself, and
 * one that cannot be used keeps what it held before: so nothing ever gets less secure, and no bad file holds up another's renewal.
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

/** Files that are of use only together: the pair that is shown, the pair for dialing, the authorities, the revocation list. */
const PIECES: ReadonlyArray<readonly number[]> = [[0, 1], [2, 3], [4], [CRL_AT]];

interface Piece {
	readonly files: readonly number[];
	/** What was told of it last; empty while it is as its files are. */
	problem: string;
	/** A file that never comes to its end (a pipe, a file system that is gone) is waited for by one look, and not by each. */
	looking: boolean;
}

export class LiveTls {
	readonly config: TlsConfig;
	private contents: Contents;
	private revocations: Revocations | null;
	private readonly servers = new Set<Server>();
	private readonly onProblem: (text: string) => void;
	private readonly looks: NodeJS.Timeout;
	private readonly tickets: NodeJS.Timeout;
	private readonly pieces: readonly Piece[];

	/** Throws when a file cannot be read, or is not what it should be. `onProblem`: the same later on, of a piece once for each text. */
	constructor(config: TlsConfig, onProblem: (text: string) => void, lookMs: number = LOOK_MS) {
		this.config = config;
		this.onProblem = onProblem;
		const files = filesOf(config);
		this.contents = files.map((file) => (file === "" ? null : readNow(file)));
		this.revocations = revocationsIn(config, this.contents);
		this.verify(this.contents);
		this.pieces = PIECES.filter((piece) => piece.some((at) => files[at] !== "")).map((piece) => ({
			files: piece,
			problem: "",
			looking: false,
		}));
		this.looks = setInterval(() => this.look(), lookMs).unref();
		this.tickets = setInterval(() => {
			for (const server of this.servers) server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
		}, TICKET_KEYS_MS).unref();
	}

	/** Certificates of whoever connects are demanded and verified. */
	get demandsCertificates(): boolean {
		return this.config.clientCertAuth || this.config.trustedCaFile !== "";
	}

	get serverContext(): SecureContextOptions {
		return this.serverContextOf(this.contents);
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
		return this.dialContextOf(this.contents);
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

	private serverContextOf(contents: Contents): SecureContextOptions {
		const [cert, key] = contents;
		return { ...this.common(contents), ...(cert && key ? { cert, key } : {}) };
	}

	private dialContextOf(contents: Contents): SecureContextOptions {
		const [cert, key, dialCert, dialKey] = contents;
		const own = dialCert && dialKey ? { cert: dialCert, key: dialKey } : cert && key ? { cert, key } : {};
		return { ...this.common(contents), ...own };
	}

	private common(contents: Contents): SecureContextOptions {
		const ca = contents[4];
		const { minVersion, maxVersion, cipherSuites } = this.config;
		const ciphers = cipherList(cipherSuites);
		return { minVersion, maxVersion, ...(ca ? { ca } : {}), ...(ciphers === "" ? {} : { ciphers }) };
	}

	/** Throws when a connection could not be made with these. */
	private verify(contents: Contents): void {
		verifyKeyMaterial(materialIn(this.config, contents));
		createSecureContext(this.serverContextOf(contents));
		createSecureContext(this.dialContextOf(contents));
	}

	private look(): void {
		for (const piece of this.pieces) {
			if (piece.looking) continue;
			piece.looking = true;
			void this.lookAt(piece).finally(() => {
				piece.looking = false;
			});
		}
	}

	private async lookAt(piece: Piece): Promise<void> {
		try {
			const files = filesOf(this.config);
			const read = await Promise.all(piece.files.map((at) => readLater(files[at] ?? "")));
			this.take(piece, read);
			piece.problem = "";
		} catch (error) {
			const text = wordsOf(error);
			if (text !== piece.problem) this.onProblem(text);
			piece.problem = text;
		}
	}

	/** Throws, with everything left as it is, when these contents of the piece's files cannot be used. */
	private take(piece: Piece, read: Contents): void {
		if (piece.files.every((at, nth) => same(read[nth] ?? null, this.contents[at] ?? null))) return;
		const contents = this.contents.map((content, at) => (piece.files.includes(at) ? (read[piece.files.indexOf(at)] ?? null) : content));
		if (piece.files.includes(CRL_AT)) {
			this.revocations = revocationsIn(this.config, contents);
			this.contents = contents;
			return;
		}
		// Half of a renewal, a certificate without its key, is no pair. The next look sees the other half.
		this.verify(contents);
		this.contents = contents;
		for (const server of this.servers) server.setSecureContext(this.serverContext);
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
		throw new Error(`${crlFile}: cannot read the revocation list: ${wordsOf(error)}`);
	}
}

function same(left: Buffer | null, right: Buffer | null): boolean {
	return left === null || right === null ? left === right : left.equals(right);
}

function readNow(file: string): Buffer {
	try {
		return readFileSync(file);
	} catch (error) {
		throw unreadable(file, error);
	}
}

async function readLater(file: string): Promise<Buffer | null> {
	if (file === "") return null;
	return readFile(file).catch((error) => {
		throw unreadable(file, error);
	});
}

/** Of a folder in a file's place Node.js does not say which. */
function unreadable(file: string, error: unknown): Error {
	const words = wordsOf(error);
	return new Error(words.includes(file) ? words : `${file}: ${words}`, { cause: error });
}

function wordsOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
