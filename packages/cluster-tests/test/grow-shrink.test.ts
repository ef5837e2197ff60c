/** A cluster grows from three members to five and shrinks to one while clients write and read: nothing is lost, doubled or stale. */
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { RecordedLoad } from "../src/chaos/recorded-load.ts";
import { KvClient, RpcError } from "../src/client/kv-client.ts";
import { addMember, promoteMember, removeMember } from "../src/client/member-changes.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { eventually, pause } from "../src/process/wait.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));
const at = (member: ClusterMember): string => member.clientUrl.slice("http://".length);

/** Asks one after the other until it is done: connections that are young at one of them, and a change under way, are reasons to go on. */
function change<T>(through: () => ClusterMember, what: string, work: (client: KvClient) => Promise<T>): Promise<T> {
	return eventually(what, async () => {
		const client = new KvClient(at(through()));
		try {
			return await work(client);
		} finally {
			client.close();
		}
	});
}

async function idOf(member: ClusterMember): Promise<string> {
	const client = new KvClient(at(member));
	const { header } = await eventually("an id", () => client.status({ timeoutMs: 5_000 })).finally(() => client.close());
	return header.member_id;
}

test(`3 to 5 (one by way of a learner) and back to 1 under load, history checked (FLOTILLA_SEED=${seed})`, {
	timeout: 600_000,
}, async () => {
	const dice = new Dice(seed);
	const cluster = await ProcessCluster.start();
	let present: ClusterMember[] = [...cluster.members];
	const newcomers: ClusterMember[] = [];
	const anyone = (): ClusterMember => dice.pick(present);
	const load = new RecordedLoad(() => present.map(at), 6, dice);
	try {
		for (const [name, isLearner] of [
			["m4", true],
			["m5", false],
		] as const) {
			const newcomer = await cluster.newcomer(name, present);
			newcomers.push(newcomer);
			const { peerUrl } = newcomer;
			const id = await change(anyone, `${name} is added`, (client) => addMember(client, { peerUrl, learner: isLearner }));
			await newcomer.process.start();
			if (isLearner) await change(anyone, `${name} is promoted`, (client) => promoteMember(client, id));
			present = [...present, newcomer];
			await pause(500);
		}
		await eventually("writes while it grew", async () => expect(load.acknowledged).toBeGreaterThan(100));
		const grown = load.acknowledged;
		for (const leaving of dice.shuffle([...present]).slice(0, 4)) {
			const id = await idOf(leaving);
			present = present.filter((member) => member !== leaving);
			await change(anyone, `${leaving.name} is removed`, (client) => removeMember(client, id));
			expect(await Promise.race([leaving.process.exited(), pause(120_000).then(() => "still running")])).toBe(0);
		}
		await eventually("writes while it shrank", async () => expect(load.acknowledged).toBeGreaterThan(grown + 50));
		await pause(1_000);
		await load.stop();
		const [last] = present as [ClusterMember];
		expect(await load.verdict(at(last))).toMatchObject({ kind: "ok" });
		// And all of it is on the disk.
		await last.process.kill("SIGKILL");
		await last.process.start();
		expect(await load.verdict(at(last))).toMatchObject({ kind: "ok" });
	} catch (error) {
		await load.stop();
		throw error instanceof RpcError ? new Error(error.message, { cause: error }) : error;
	} finally {
		await Promise.all(newcomers.map((member) => member.process.dispose()));
		await cluster.dispose();
	}
});
