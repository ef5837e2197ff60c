import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import { nodeClock, nodeDice, nodeScheduler } from "../../src/node-ports.ts";
import { askForView, type ClusterView } from "../../src/peers/cluster-view.ts";
import { TcpPeerTransport } from "../../src/peers/tcp-transport.ts";

const MEMBERS: ClusterView["members"] = [
	{ id: 0xffff_ffff_ffff_fffen, name: "m1", peerUrls: ["http://10.0.0.1:2380", "http://10.0.0.1:2390"] },
	{ id: 2n, name: "", peerUrls: ["http://10.0.0.2:2380"] },
];

const closers: Array<() => Promise<unknown>> = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

async function listening(members?: () => ClusterView["members"]): Promise<string> {
	const options = { memberId: 1n, clusterId: 0xc1n, incarnation: 5, listenPeerUrls: ["http://127.0.0.1:0"], electionTimeoutMs: 1_000 };
	const world = { clock: nodeClock, scheduler: nodeScheduler, dice: nodeDice(), bytes: nodeBytes };
	const events = { messages() {}, connected() {}, unreachable() {}, lost() {}, removed() {} };
	const transport = new TcpPeerTransport({ ...options, ...world, ...(members === undefined ? {} : { members }) }, events, { emit() {} });
	closers.push(() => transport.close());
	return (await transport.listen())[0] as string;
}

describe("the question who belongs to a cluster", () => {
	test("is answered to strangers, with ids, names and all peer URLs", async () => {
		expect(await askForView(await listening(() => MEMBERS), nodeBytes)).toEqual({ clusterId: 0xc1n, members: MEMBERS });
	});

	test("has no answer where nobody listens, where it is not understood, and where something else listens", async () => {
		expect(await askForView("http://127.0.0.1:1", nodeBytes)).toBe(null);
		expect(await askForView("unix:/nowhere", nodeBytes)).toBe(null);
		expect(await askForView(await listening(), nodeBytes)).toBe(null);
		const other = createServer((socket) => void socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n"));
		await new Promise<void>((done) => void other.listen(0, "127.0.0.1", done));
		closers.push(() => new Promise((done) => void other.close(done)));
		const { port } = other.address() as { port: number };
		expect(await askForView(`http://127.0.0.1:${port}`, nodeBytes)).toBe(null);
	});

	test("is not waited for for long, however busily somebody answers", async () => {
		const head = Buffer.concat([Buffer.from("FLOT"), Uint8Array.of(0xe0, 0x03)]);
		const chatty = createServer((socket) => {
			socket.on("error", () => {});
			socket.resume().write(head);
			const beat = setInterval(() => void socket.write(Uint8Array.of(0)), 100);
			socket.on("close", () => clearInterval(beat));
		});
		await new Promise<void>((done) => void chatty.listen(0, "127.0.0.1", done));
		closers.push(() => new Promise((done) => void chatty.close(done)));
		const { port } = chatty.address() as { port: number };
		expect(await askForView(`http://127.0.0.1:${port}`, nodeBytes)).toBe(null);
	});
});
