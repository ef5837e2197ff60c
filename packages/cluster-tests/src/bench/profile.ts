/**
 * Where a put's processor time goes: `npm run profile [-- streams connections seconds]`. Three members, fsync on, 8-byte key, 256-byte
 * value, h2load on the leader; of the leader and of a follower the processor time a put by thread (/proc), and the busy time of the loop
 * by what it was spent on (the profile that a member gives with `--enable-pprof`, a hundred looks a second).
 */
import { readdirSync, readFileSync } from "node:fs";
import { commandFlags } from "@flotilla/base/command";
import { KvClient } from "../client/kv-client.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { busyByArea, type CpuProfile } from "./cpu-areas.ts";
import { putByH2load } from "./h2load-puts.ts";

const WARM_UP_SECONDS = 4;
const TICK_US = 10_000;

const { streams, seconds, ...given } = commandFlags(
	{
		call: "npm run profile --",
		about: "Where the processor time of a put goes, at the leader and at a follower, by thread and by part of the program.",
		flags: {
			streams: { kind: "number", least: 1, fallback: 256, about: "puts at a time" },
			connections: { kind: "number", least: 1, fallback: 0, otherwise: "16, or as many as streams", about: "that they share" },
			seconds: { kind: "number", least: 2, fallback: 10, about: "of load; one of them is not profiled" },
		},
		bare: ["streams", "connections", "seconds"],
	},
	process,
);
const connections = given.connections === 0 ? Math.min(16, streams) : given.connections;

/** Threads by what they do; Node and V8 name them. */
function kindOf(pid: number, thread: number, name: string): string {
	if (thread === pid) return "loop";
	if (name.startsWith("libuv")) return "log and store";
	if (/^(V8|DelayedTask|node$)/.test(name)) return "collector and compiler";
	return "others";
}

/** Microseconds of processor time so far; the kernel counts in hundredths of a second (proc(5)). */
function threadTimes(pid: number): Map<string, number> {
	const times = new Map<string, number>();
	for (const thread of readdirSync(`/proc/${pid}/task`)) {
		const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
		const [start, end] = [stat.indexOf("("), stat.lastIndexOf(")")];
		const fields = stat.slice(end + 2).split(" ");
		const kind = kindOf(pid, Number(thread), stat.slice(start + 1, end));
		times.set(kind, (times.get(kind) ?? 0) + (Number(fields[11]) + Number(fields[12])) * TICK_US);
	}
	return times;
}

async function profileOf(url: string): Promise<CpuProfile> {
	const answer = await fetch(`${url}/debug/pprof/profile?seconds=${seconds - 1}`);
	if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
	return (await answer.json()) as CpuProfile;
}

const cluster = await ProcessCluster.start({ flags: ["--enable-pprof"] });
try {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	const states = await Promise.all(clients.map((client) => client.status()));
	const leads = states.findIndex(({ leader, header }) => leader === header.member_id);
	const looked = [
		{ who: "leader", member: cluster.member(leads) },
		{ who: "follower", member: cluster.member((leads + 1) % cluster.members.length) },
	];
	const url = cluster.member(leads).clientUrl;
	const shape = { connections, streams: Math.max(1, Math.round(streams / connections)) };
	const revision = async (): Promise<number> => Number((await (clients[leads] as KvClient).range("none")).header.revision);
	await putByH2load(url, { ...shape, seconds: WARM_UP_SECONDS });
	const before = looked.map(({ member }) => threadTimes(member.process.pid));
	const from = await revision();
	const [, ...profiles] = await Promise.all([
		putByH2load(url, { ...shape, seconds }),
		...looked.map(({ member }) => profileOf(member.clientUrl)),
	]);
	const puts = (await revision()) - from;
	console.log(`${puts} puts in ${seconds} s, ${shape.streams * connections} streams on ${connections} connections`);
	for (const [at, { who, member }] of looked.entries()) {
		const after = threadTimes(member.process.pid);
		const parts = [...after].map(([kind, us]) => ({ kind, us: (us - (before[at]?.get(kind) ?? 0)) / puts }));
		const whole = parts.reduce((sum, { us }) => sum + us, 0);
		console.log(`\n${who}: ${whole.toFixed(1)} us of processor time a put`);
		for (const { kind, us } of parts.sort((a, b) => b.us - a.us)) console.log(`  ${us.toFixed(1).padStart(6)} us  ${kind}`);
		console.log("  the loop's busy time:");
		for (const { area, share } of busyByArea(profiles[at] as CpuProfile))
			console.log(`  ${(100 * share).toFixed(1).padStart(5)} %  ${area}`);
	}
	for (const client of clients) client.close();
} finally {
	await cluster.dispose();
}
