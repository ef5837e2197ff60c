/** Fault points in real processes of a test build; and that a normal build has none. */
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { eventually } from "../src/process/wait.ts";

const SERVER_SOURCES = fileURLToPath(new URL("../../server/src", import.meta.url));
const VARIABLE = "FLOTILLA_FAULT_POINTS";

let cluster: ProcessCluster;

beforeAll(async () => {
	cluster = await ProcessCluster.start({ tuning: {}, faultPoints: true });
});
afterAll(() => cluster.dispose());

async function ask(member: ClusterMember, method: string, point = "", term?: string): Promise<{ status: number; text: string }> {
	const response = await fetch(`http://127.0.0.1:${member.faultPort}/${point}`, { method, ...(term === undefined ? {} : { body: term }) });
	return { status: response.status, text: await response.text() };
}

async function put(member: ClusterMember, key: string): Promise<void> {
	const client = new KvClient(member.clientUrl.slice("http://".length));
	try {
		await eventually(`a write of ${key} at ${member.name}`, () => client.put(key, "v", { timeoutMs: 3_000 }), 60_000);
	} finally {
		client.close();
	}
}

test("they are listed with what passed them, and refuse what is no term or no point", async () => {
	const member = cluster.member(0);
	await put(member, "a");
	const { text } = await ask(member, "GET");
	expect(text).toMatch(/^wal\.beforeWrite - [1-9]\d*$/m);
	expect(text).toMatch(/^peers\.beforeSend - [1-9]\d*$/m);
	expect((await ask(member, "PUT", "wal.beforeWrite", "burn")).status).toBe(400);
	expect((await ask(member, "PUT", "wal.nowhere", "panic")).status).toBe(404);
});

test("SC-092 a write of the log that fails ends the member, which comes back with everything", async () => {
	const member = cluster.member(1);
	await ask(member, "PUT", "wal.beforeWrite", '1*error("EIO")');
	await put(cluster.member(0), "b");
	expect(await member.process.exited()).toBe(1);
	expect(member.process.tail).toContain("EIO");
	await member.process.start(60_000);
	await put(member, "c");
});

test("a panic ends the member at that point; the port answers while another one sleeps", async () => {
	const member = cluster.member(2);
	await ask(member, "PUT", "peers.beforeSend", '1*sleep("8s")');
	const write = put(member, "d");
	await eventually("it sleeps", async () => expect((await ask(member, "GET", "peers.beforeSend")).text).toMatch(/^peers\.beforeSend - /));
	const asked = performance.now();
	await ask(member, "PUT", "store.afterBatch", "panic");
	expect(performance.now() - asked).toBeLessThan(6_000);
	await put(cluster.member(0), "e");
	expect(await member.process.exited()).toBe(2);
	expect(member.process.tail).toContain("panic at fault point store.afterBatch");
	await member.process.start(60_000);
	await write;
});

test("a normal member has none, whatever the variable says", async () => {
	const mentions = readdirSync(SERVER_SOURCES, { recursive: true, encoding: "utf8" }).filter(
		(file) => file.endsWith(".ts") && readFileSync(join(SERVER_SOURCES, file), "utf8").includes(VARIABLE),
	);
	expect(mentions).toEqual([]);
	const [faultPort = 0] = await freePorts(1);
	const alone = await ProcessCluster.create({ size: 1 });
	const { spec } = alone.member(0).process;
	const normal = new MemberProcess({ ...spec, environment: { ...spec.environment, [VARIABLE]: String(faultPort) } });
	try {
		await normal.start(60_000);
		const open = await new Promise<boolean>((resolve) => {
			const socket = connect({ port: faultPort, host: "127.0.0.1" });
			socket.once("connect", () => resolve(true));
			socket.once("error", () => resolve(false));
			socket.once("close", () => socket.destroy());
		});
		expect(open).toBe(false);
	} finally {
		await normal.dispose();
		await alone.dispose();
	}
});
