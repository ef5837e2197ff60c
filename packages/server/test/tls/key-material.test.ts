/** Files of certificates that are broken: named, when the member starts and when it looks at them again; what it had before stays in use. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LiveTls } from "../../src/tls/live-tls.ts";
import { NO_TLS_FILES, type TlsConfig } from "../../src/tls/tls-config.ts";
import { Authority, type Certificate } from "./certificates.ts";

let authority: Authority;
let server: Certificate;
let other: Certificate;
let config: TlsConfig;

beforeAll(() => {
	authority = new Authority();
	server = authority.issue("server");
	other = authority.issue("other");
	const file = (from: string, name: string): string => {
		const path = join(authority.folder, name);
		copyFileSync(from, path);
		return path;
	};
	config = {
		...NO_TLS_FILES,
		...{
			certFile: file(server.certFile, "own.pem"),
			keyFile: file(server.keyFile, "own.key"),
			trustedCaFile: file(authority.caFile, "own-ca.pem"),
		},
	};
}, 120_000);

afterAll(() => authority.remove());

const half = (path: string): string => readFileSync(path, "utf8").slice(0, 200);

test.each<[what: string, file: (config: TlsConfig) => string, content: () => string, blamed: RegExp]>([
	["a certificate that is none", ({ certFile }) => certFile, () => "nothing", /own\.pem: .*no start line/],
	["a key that is none", ({ keyFile }) => keyFile, () => "nothing", /own\.key: /],
	[
		"another one's key",
		({ keyFile }) => keyFile,
		() => readFileSync(other.keyFile, "utf8"),
		/own\.pem and .*own\.key: .*key values mismatch/,
	],
	["an empty file of authorities", ({ trustedCaFile }) => trustedCaFile, () => "", /own-ca\.pem: no certificate stands in it/],
	["half an authority", ({ trustedCaFile }) => trustedCaFile, () => half(authority.caFile), /own-ca\.pem: /],
	[
		...(["half an authority behind a whole one", ({ trustedCaFile }: TlsConfig) => trustedCaFile] as const),
		...([() => `${readFileSync(authority.caFile, "utf8")}${half(authority.caFile)}`, /own-ca\.pem: /] as const),
	],
])("%s", async (_what, fileOf, content, blamed) => {
	const file = fileOf(config);
	const whole = readFileSync(file);
	const problems: string[] = [];
	const live = new LiveTls(config, (text) => problems.push(text), 20);
	try {
		const before = live.serverContext;
		writeFileSync(file, content());
		await expect.poll(() => problems).toEqual([expect.stringMatching(blamed)]);
		expect(live.serverContext).toEqual(before);
		expect(() => new LiveTls(config, () => {})).toThrow(blamed);
		writeFileSync(file, Buffer.concat([whole, Buffer.from("\n")]));
		await expect.poll(() => live.serverContext).not.toEqual(before);
		expect(problems).toHaveLength(1);
	} finally {
		live.close();
		writeFileSync(file, whole);
	}
});
