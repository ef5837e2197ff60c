/** Peers over TLS: both ends show certificates, and each looks at the other's authority and names. */
import { copyFileSync } from "node:fs";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import { askForView } from "../../src/peers/cluster-view.ts";
import { LiveTls } from "../../src/tls/live-tls.ts";
import type { TlsConfig } from "../../src/tls/tls-config.ts";
import { Peer, until } from "../peers/peer-house.ts";
import { Authority, type Certificate } from "./certificates.ts";

let authority: Authority;
let stranger: Authority;
let good: Certificate;
const cleanUp: Array<() => unknown> = [];

beforeAll(() => {
	authority = new Authority();
	stranger = new Authority("another authority");
	good = authority.issue("peer");
}, 120_000);

afterAll(() => {
	authority.remove();
	stranger.remove();
});

afterEach(async () => {
	for (const work of cleanUp.splice(0)) await work();
});

type Member = { readonly id: bigint; readonly name: string; readonly peerUrls: readonly string[] };

async function peer(
	id: bigint,
	config: TlsConfig,
	members: readonly Member[] = [{ id, name: "m", peerUrls: [] }],
	lookMs?: number,
): Promise<Peer> {
	const tls = new LiveTls(config, () => {}, lookMs);
	cleanUp.push(() => tls.close());
	const made = await new Peer(id, {
		tls,
		listenPeerUrls: ["https://127.0.0.1:0"],
		members: () => members,
	}).listen();
	cleanUp.push(() => made.transport.close());
	return made;
}

const strict = (certificate: Certificate, more: Partial<TlsConfig> = {}): TlsConfig =>
	authority.config(certificate, { skipClientSan: false, ...more });

test("two with good certificates connect and talk", async () => {
	const [one, two] = [await peer(1n, strict(good)), await peer(2n, strict(authority.issue("other")))];
	expect(one.url).toMatch(/^https:/);
	one.knows(two);
	two.knows(one);
	await until("connected", () => one.told.includes("connected 2") && two.told.includes("connected 1"));
	expect(await askForView(one.url, nodeBytes, new LiveTls(strict(good), () => {}))).toMatchObject({ members: [{ id: 1n }] });
	expect(await askForView(one.url, nodeBytes)).toBeNull();
});

test("a member that is known vouches for one that is not, over TLS as well", async () => {
	const members: Member[] = [];
	const [one, two, three] = [await peer(1n, strict(good)), await peer(2n, strict(good), members), await peer(3n, strict(good))];
	for (const { id, url } of [one, two, three]) members.push({ id, name: `m${id}`, peerUrls: [url] });
	one.knows(two);
	two.knows(one, three);
	three.knows(one, two);
	await until("let in", () => one.told.includes("connected 3") && three.told.includes("connected 1"));
});

test("another certificate for dialing", async () => {
	const dialing = authority.issue("dialing");
	const [one, two] = [
		await peer(1n, strict(good, { dialCertFile: dialing.certFile, dialKeyFile: dialing.keyFile })),
		await peer(2n, strict(good, { allowedCommonNames: ["dialing", "peer"] })),
	];
	one.knows(two);
	two.knows(one);
	await until("connected", () => two.told.includes("connected 1"));
});

test.each<[string, () => TlsConfig, string]>([
	["of another authority", () => stranger.config(stranger.issue("peer"), { skipClientSan: false }), "SELF_SIGNED_CERT_IN_CHAIN"],
	["that has expired", () => strict(authority.issue("peer", "IP:127.0.0.1", -1)), "CERT_HAS_EXPIRED"],
	["for another address", () => strict(authority.issue("peer", "IP:192.0.2.1")), "ERR_TLS_CERT_ALTNAME_INVALID"],
])(
	"one that shows a certificate %s is not let in, and not dialed; why is told once, however often it is tried",
	async (_what, config, why) => {
		const [one, two] = [await peer(1n, strict(good)), await peer(2n, config())];
		one.knows(two);
		two.knows(one);
		const reasons = (name: string): unknown[] => one.events.filter((event) => event.name === name).map(({ fields }) => fields.reason);
		await until("refused", () => reasons("handshakeRefused").length > 0 && reasons("peerDialFailed").length > 0);
		// They dial again and again meanwhile.
		await new Promise((resolve) => setTimeout(resolve, 1_500));
		expect(reasons("peerDialFailed")).toEqual([why]);
		expect(new Set(reasons("handshakeRefused")).size).toBe(reasons("handshakeRefused").length);
		expect([...one.told, ...two.told].filter((text) => text.startsWith("connected"))).toEqual([]);
	},
);

test("a name that is not allowed is refused", async () => {
	const [one, two] = [await peer(1n, strict(good, { allowedCommonNames: ["somebody else"] })), await peer(2n, strict(good))];
	two.knows(one);
	one.knows(two);
	await until("refused", () =>
		one.events.some(({ name, fields }) => name === "handshakeRefused" && String(fields.reason).includes("not allowed")),
	);
	expect(two.told).not.toContain("connected 1");
});

test("one whose certificate was revoked is not let in, and not dialed", async () => {
	const bad = authority.issue("peer");
	const crlFile = authority.revoke([bad]);
	const [one, two] = [await peer(1n, strict(good, { crlFile })), await peer(2n, strict(bad))];
	one.knows(two);
	two.knows(one);
	await until("refused", () =>
		one.events.some(({ name, fields }) => name === "handshakeRefused" && String(fields.reason).includes("was revoked")),
	);
	await new Promise((resolve) => setTimeout(resolve, 100));
	expect([...one.told, ...two.told].filter((text) => text.startsWith("connected"))).toEqual([]);
	expect(await askForView(two.url, nodeBytes, new LiveTls(strict(good, { crlFile }), () => {}))).toBeNull();
	expect(await askForView(two.url, nodeBytes, new LiveTls(strict(good), () => {}))).not.toBeNull();
});

test("a plain peer and one with TLS do not meet", async () => {
	const secure = await peer(1n, strict(good));
	const plain = await new Peer(2n).listen();
	cleanUp.push(() => plain.transport.close());
	plain.knows({ id: 1n, url: secure.url.replace("https:", "http:") });
	secure.knows({ id: 2n, url: plain.url.replace("http:", "https:") });
	await until("refused", () => secure.events.some(({ name }) => name === "handshakeRefused"));
	expect([...secure.told, ...plain.told].filter((text) => text.startsWith("connected"))).toEqual([]);
});

test("a certificate that was renewed, and a list of the revoked that grew, hold for the next connection, without a restart", async () => {
	const bad = authority.issue("bad");
	const own = { certFile: `${good.certFile}.live`, keyFile: `${good.keyFile}.live`, crlFile: `${good.certFile}.crl` };
	const use = ({ certFile, keyFile }: Certificate): void => {
		copyFileSync(keyFile, own.keyFile);
		copyFileSync(certFile, own.certFile);
	};
	use(good);
	copyFileSync(authority.revoke([]), own.crlFile);
	const one = await peer(1n, strict(own, { crlFile: own.crlFile }), undefined, 20);
	const asks = (certificate: Certificate): Promise<unknown> => askForView(one.url, nodeBytes, new LiveTls(strict(certificate), () => {}));
	expect(await asks(bad)).toMatchObject({ members: [{ id: 1n }] });
	expect(await shownBy(one.url)).toBe("peer");

	use(authority.issue("renewed"));
	copyFileSync(authority.revoke([bad]), own.crlFile);
	await expect.poll(() => shownBy(one.url), { timeout: 20_000 }).toBe("renewed");
	await expect.poll(() => asks(bad), { timeout: 20_000 }).toBeNull();
	expect(one.events.some(({ name, fields }) => name === "handshakeRefused" && String(fields.reason).includes("was revoked"))).toBe(true);
	expect(await asks(good)).toMatchObject({ members: [{ id: 1n }] });
});

/** Common name of the certificate that a peer port shows. */
function shownBy(url: string): Promise<string> {
	const { hostname, port } = new URL(url);
	return new Promise((resolve, reject) => {
		const options = { host: hostname, port: Number(port), rejectUnauthorized: false };
		const socket = connect(options, () => {
			resolve(String(socket.getPeerCertificate().subject.CN));
			socket.destroy();
		});
		socket.once("error", reject);
	});
}
