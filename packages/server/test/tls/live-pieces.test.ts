/** Files that are renewed beside one that is broken: each piece is loaded for itself, and the broken one goes on as it was. */
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LiveTls } from "../../src/tls/live-tls.ts";
import { NO_TLS_FILES, type TlsConfig } from "../../src/tls/tls-config.ts";
import { Authority, type Certificate } from "./certificates.ts";

let authority: Authority;
let revoked: Certificate;
let live: LiveTls;
let problems: string[];
let config: TlsConfig;

beforeEach(() => {
	authority = new Authority();
	mkdirSync(join(authority.folder, "live"));
	const [own, dial] = [authority.issue("own"), authority.issue("dial")];
	revoked = authority.issue("revoked");
	config = {
		...NO_TLS_FILES,
		...{ certFile: place(own.certFile, "own.pem"), keyFile: place(own.keyFile, "own.key") },
		...{ dialCertFile: place(dial.certFile, "dial.pem"), dialKeyFile: place(dial.keyFile, "dial.key") },
		...{ trustedCaFile: place(authority.caFile, "ca.pem"), crlFile: place(authority.revoke([revoked]), "list.crl") },
	};
	problems = [];
	live = new LiveTls(config, (text) => problems.push(text), 20);
}, 120_000);

afterEach(() => {
	live.close();
	authority.remove();
});

function place(from: string, name: string): string {
	const path = join(authority.folder, "live", name);
	put(path, readFileSync(from));
	return path;
}

/** At once: no look finds half of it. */
function put(path: string, content: string | Buffer): void {
	writeFileSync(`${path}.new`, content);
	renameSync(`${path}.new`, path);
}

const shown = ({ certFile }: Certificate) => ({ raw: new X509Certificate(readFileSync(certFile)).raw });

/** Renews one piece, and resolves once the member has it. */
const RENEWALS: Readonly<Record<string, () => Promise<void>>> = {
	async "the pair that is shown"() {
		const next = authority.issue("renewed");
		place(next.keyFile, "own.key");
		place(next.certFile, "own.pem");
		await expect.poll(() => live.serverContext.cert).toEqual(readFileSync(next.certFile));
		expect(live.serverContext.key).toEqual(readFileSync(next.keyFile));
	},
	async "the pair for dialing"() {
		const next = authority.issue("renewed for dialing");
		place(next.keyFile, "dial.key");
		place(next.certFile, "dial.pem");
		await expect.poll(() => live.dialContext.cert).toEqual(readFileSync(next.certFile));
		expect(live.dialContext.key).toEqual(readFileSync(next.keyFile));
	},
	async "the authorities"() {
		const both = Buffer.concat([readFileSync(authority.caFile), readFileSync(authority.caFile)]);
		put(config.trustedCaFile, both);
		await expect.poll(() => live.serverContext.ca).toEqual(both);
		expect(live.dialContext.ca).toEqual(both);
	},
	async "the revocation list"() {
		const next = authority.issue("revoked later");
		place(authority.revoke([next]), "list.crl");
		await expect.poll(() => live.revokedIn(shown(next))).not.toBeNull();
	},
};

const everything = () => [live.serverContext, live.dialContext, live.revokedIn(shown(revoked)) !== null];

test.each<[piece: string, file: (config: TlsConfig) => string, blamed: RegExp]>([
	["the pair that is shown", ({ certFile }) => certFile, /own\.pem: /],
	["the pair for dialing", ({ dialKeyFile }) => dialKeyFile, /dial\.key: /],
	["the authorities", ({ trustedCaFile }) => trustedCaFile, /ca\.pem: /],
	["the revocation list", ({ crlFile }) => crlFile, /list\.crl: cannot read the revocation list: /],
])(
	"%s is rubbish, later gone: told once each, the last good content holds, and all others are renewed",
	async (piece, fileOf, blamed) => {
		const before = everything();
		put(fileOf(config), "rubbish");
		await expect.poll(() => problems).toEqual([expect.stringMatching(blamed)]);
		expect(everything()).toEqual(before);
		rmSync(fileOf(config));
		await expect.poll(() => problems).toEqual([expect.stringMatching(blamed), expect.stringMatching(/no such file/)]);
		expect(everything()).toEqual(before);
		for (const [other, renew] of Object.entries(RENEWALS)) if (other !== piece) await renew();
		expect(live.revokedIn(shown(revoked))).not.toBeNull();
		expect(problems.filter((text) => blamed.test(text))).toHaveLength(1);
		await RENEWALS[piece]?.();
	},
	120_000,
);

test("two that are broken are both told; one that was mended and breaks again is told again", async () => {
	put(config.crlFile, "rubbish");
	put(config.certFile, "rubbish");
	const both = [expect.stringMatching(/list\.crl: /), expect.stringMatching(/own\.pem: /)];
	await expect.poll(() => problems).toEqual(expect.arrayContaining(both));
	await RENEWALS["the revocation list"]?.();
	put(config.crlFile, "rubbish");
	await expect.poll(() => problems.filter((text) => text.includes("list.crl"))).toHaveLength(2);
}, 120_000);

test("a file that never ends holds up none of the others", async () => {
	rmSync(config.crlFile);
	execFileSync("mkfifo", [config.crlFile]);
	try {
		await RENEWALS["the authorities"]?.();
		// As many looks as the pool that reads files has threads, and more.
		await new Promise((passed) => setTimeout(passed, 300));
		await RENEWALS["the pair that is shown"]?.();
		expect(live.revokedIn(shown(revoked))).not.toBeNull();
	} finally {
		live.close();
		closeSync(openSync(config.crlFile, "r+"));
	}
}, 120_000);

test("a folder in a file's place is named", () => {
	live.close();
	expect(() => new LiveTls({ ...config, crlFile: authority.folder }, () => {})).toThrow(authority.folder);
});
