/** Peers over TLS: both ends show certificates, and each looks at the other's authority and names. */
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

async function peer(id: bigint, config: TlsConfig, members: readonly Member[] = [{ id, name: "m", peerUrls: [] }]): Promise<Peer> {
	const tls = new LiveTls(config, () => {});
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

test.each<[string, () => TlsConfig]>([
	["of another authority", () => stranger.config(stranger.issue("peer"), { skipClientSan: false })],
	["that has expired", () => strict(authority.issue("peer", "IP:127.0.0.1", -1))],
	["for another address", () => strict(authority.issue("peer", "IP:192.0.2.1"))],
])("one that shows a certificate %s is not let in, and not dialed", async (_what, config) => {
	const [one, two] = [await peer(1n, strict(good)), await peer(2n, config())];
	one.knows(two);
	two.knows(one);
	await until("refused", () => one.events.some(({ name }) => name === "handshakeRefused"));
	await new Promise((resolve) => setTimeout(resolve, 100));
	expect([...one.told, ...two.told].filter((text) => text.startsWith("connected"))).toEqual([]);
});

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
