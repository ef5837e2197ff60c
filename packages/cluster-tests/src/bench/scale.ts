/**
 * Resident memory and restart with many keys, flotilla and (where installed) etcd with the same data in one run:
 * `npm run scale -- [--keys 1000000] [--key-bytes 16] [--value-bytes 256] [--members 1] [--puts-a-call 1] [--only flotilla]`.
 * The restart is timed from the start of the process to the first answered linearizable read.
 */

import { readFileSync } from "node:fs";
import { commandFlags } from "@flotilla/base/command";
import { KvClient } from "../client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../process/cluster.ts";
import { haveProgram } from "../process/tools.ts";
import { eventually, pause } from "../process/wait.ts";
import { leaderOf } from "./leader-of.ts";
import { PutLoad } from "./put-load.ts";

const flags = commandFlags(
	{
		call: "npm run scale --",
		about: "Memory and restart with many keys, of flotilla and, where it is installed, of etcd with the same data.",
		flags: {
			keys: { kind: "number", least: 1, fallback: 1_000_000, about: "how many" },
			"key-bytes": { kind: "number", least: 8, fallback: 16, about: "of each key" },
			"value-bytes": { kind: "number", least: 0, fallback: 256, about: "of each value" },
			members: { kind: "number", least: 1, most: 9, fallback: 1, about: "of each cluster" },
			"puts-a-call": { kind: "number", least: 1, fallback: 1, about: "more than one travel in transactions" },
			"settle-ms": { kind: "number", least: 0, fallback: 5_000, about: "of rest before memory is read" },
			only: { kind: "choice", of: ["flotilla", "etcd"], fallback: "", about: "one program alone" },
		},
	},
	process,
);
const { keys, members: size, "key-bytes": keyBytes, "value-bytes": valueBytes, "puts-a-call": putsACall } = flags;
/** It rests for so long before memory is read: collectors and background writers come to an end. */
const settleMs = flags["settle-ms"];
const RESTART_MS_MAX = 600_000;
/** What Linux tells programs, whatever its own clock. */
const CLOCK_TICKS_A_SECOND = 100;

type Program = "flotilla" | "etcd";

interface Figures {
	readonly fillPerSecond: number;
	readonly afterFillMb: number;
	/** Of it: pages of mapped files, which the system may take back. */
	readonly afterFillFileMb: number;
	readonly peakMb: number;
	readonly afterRestartMb: number;
	readonly afterRestartFileMb: number;
	readonly restartMs: number;
	/** Of a linearizable Range that counts all keys, after the fill and after the restart. */
	readonly countMs: number;
	readonly countAfterRestartMs: number;
	/** Of the member that used most, for the fill and for the restart. */
	readonly fillCpuSeconds: number;
	readonly restartCpuSeconds: number;
}

/** Keys in an order that is neither ascending nor random from run to run. */
function makeKey(n: number): Buffer {
	return Buffer.from(String((n * 7_919) % keys).padStart(keyBytes, "0"));
}

/** Values that do not compress well. */
function makeValue(n: number): Buffer {
	const value = Buffer.alloc(valueBytes);
	let state = (n + 1) >>> 0;
	for (let i = 0; i < valueBytes; i++) {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		value[i] = state >>> 24;
	}
	return value;
}

type MemoryKind = "VmRSS" | "VmHWM" | "RssFile";

/** One line of /proc/<pid>/status, in MB. */
function memoryMb(pid: number, name: MemoryKind): number {
	const line = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
	return Math.round(Number(line?.[1] ?? 0) / 1_024);
}

/** Processor time of a process since its start, all threads together. */
function cpuSeconds(pid: number): number {
	const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
	return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_A_SECOND;
}

const mostCpu = (cluster: ProcessCluster): number => Math.max(...cluster.members.map((member) => cpuSeconds(member.process.pid)));

/** etcd runs as it is; flotilla's command is a shell that replaces itself. */
const highest = (cluster: ProcessCluster, name: MemoryKind): number =>
	Math.max(...cluster.members.map((member) => memoryMb(member.process.pid, name)));

async function fill(cluster: ProcessCluster): Promise<number> {
	const load = new PutLoad({ url: (await leaderOf(cluster)).clientUrl, streams: 64, connections: 8, putsACall, makeKey, makeValue });
	const started = performance.now();
	await load.run(0, keys);
	load.close();
	return Math.round((keys / (performance.now() - started)) * 1_000);
}

async function countKeys(member: ClusterMember): Promise<number> {
	const client = new KvClient(member.clientUrl.slice("http://".length));
	try {
		return Number((await client.everything({ count_only: true }, { timeoutMs: 60_000 })).count);
	} finally {
		client.close();
	}
}

/** Every member counts all keys; how long the slowest took. */
async function assertComplete(cluster: ProcessCluster, when: string): Promise<number> {
	let slowestMs = 0;
	for (const member of cluster.members) {
		const started = performance.now();
		const count = await countKeys(member);
		slowestMs = Math.max(slowestMs, performance.now() - started);
		if (count !== keys) throw new Error(`${count} keys ${when}, ${keys} were put`);
	}
	return slowestMs;
}

/** All members end, and start again together; the slowest counts. */
async function restart(cluster: ProcessCluster): Promise<number> {
	for (const { process } of cluster.members) await process.kill("SIGTERM");
	const started = performance.now();
	await Promise.all(
		cluster.members.map(async (member) => {
			await member.process.start(RESTART_MS_MAX);
			await eventually("a linearizable read", () => countKeys(member), RESTART_MS_MAX);
		}),
	);
	return Math.round(performance.now() - started);
}

async function measure(program: Program): Promise<Figures> {
	const cluster = await ProcessCluster.start({ program, size, flags: ["--quota-backend-bytes", String(16 * 1024 ** 3)] });
	try {
		const fillPerSecond = await fill(cluster);
		const fillCpuSeconds = mostCpu(cluster);
		await pause(settleMs);
		const afterFillMb = highest(cluster, "VmRSS");
		const afterFillFileMb = highest(cluster, "RssFile");
		const peakMb = highest(cluster, "VmHWM");
		const countMs = await assertComplete(cluster, "after the fill");
		const restartMs = await restart(cluster);
		const restartCpuSeconds = mostCpu(cluster);
		await pause(settleMs);
		const afterRestart = { afterRestartMb: highest(cluster, "VmRSS"), afterRestartFileMb: highest(cluster, "RssFile") };
		const countAfterRestartMs = await assertComplete(cluster, "after the restart");
		const cpu = { fillCpuSeconds, restartCpuSeconds };
		return { fillPerSecond, afterFillMb, afterFillFileMb, peakMb, ...afterRestart, restartMs, countMs, countAfterRestartMs, ...cpu };
	} finally {
		await cluster.dispose();
	}
}

const programs: Program[] = flags.only === "" ? (haveProgram("etcd") ? ["flotilla", "etcd"] : ["flotilla"]) : [flags.only];
console.log(`${keys} keys of ${keyBytes} bytes, values of ${valueBytes} bytes, ${size} member(s)`);
const results = new Map<Program, Figures>();
for (const program of programs) {
	const figures = await measure(program);
	results.set(program, figures);
	console.log(
		`${program.padEnd(9)} fill ${figures.fillPerSecond}/s (${figures.fillCpuSeconds.toFixed(1)} s of CPU); resident after it ${figures.afterFillMb} MB (${figures.afterFillFileMb} of mapped files; peak ${figures.peakMb} MB), ` +
			`after a restart ${figures.afterRestartMb} MB (${figures.afterRestartFileMb} of mapped files); restart ${(figures.restartMs / 1_000).toFixed(1)} s (${figures.restartCpuSeconds.toFixed(1)} s of CPU); ` +
			`count ${figures.countMs.toFixed(1)} ms, after the restart ${figures.countAfterRestartMs.toFixed(1)} ms`,
	);
}
const [ours, theirs] = [results.get("flotilla"), results.get("etcd")];
if (ours !== undefined && theirs !== undefined) {
	const ratio = (name: keyof Figures): string => (ours[name] / theirs[name]).toFixed(2);
	console.log(
		`flotilla / etcd: after the fill ${ratio("afterFillMb")}, after a restart ${ratio("afterRestartMb")}, restart ${ratio("restartMs")}`,
	);
}
