/**
 * Put rate and latency at 1, 32 and 256 clients, flotilla and (where installed) etcd in turn on the same machine:
 * `npm run bench:put`. Three members each, fsync on in both, 8-byte key, 256-byte value, load on the leader through h2load.
 * Every round is checked by the revision it moved: h2load takes refusals for answers.
 */
import { KvClient } from "../client/kv-client.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { haveProgram } from "../process/tools.ts";
import { type Load, type LoadResult, runH2load } from "./h2load.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 5);

const loads: readonly (readonly [string, Load])[] = [
	["1 client", { connections: 1, streams: 1, seconds, warmUpSeconds: 2 }],
	["32 clients (1 connection)", { connections: 1, streams: 32, seconds, warmUpSeconds: 2 }],
	["256 clients (16 connections)", { connections: 16, streams: 16, seconds, warmUpSeconds: 2 }],
];

interface Row {
	readonly perSecond: number;
	readonly meanMs: number;
	readonly maxMs: number;
}

async function leaderOf(cluster: ProcessCluster): Promise<{ url: string; client: KvClient }> {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	const answers = await Promise.all(clients.map((client) => client.status()));
	const at = answers.findIndex((answer) => answer.leader === answer.header.member_id);
	for (const [i, client] of clients.entries()) if (i !== at) client.close();
	return { url: cluster.member(at).clientUrl, client: clients[at] as KvClient };
}

async function measure(cluster: ProcessCluster, load: Load): Promise<Row> {
	const { url, client } = await leaderOf(cluster);
	const before = Number((await client.range("none")).header.revision);
	const result: LoadResult = await runH2load(
		url,
		"/etcdserverpb.KV/Put",
		"PutRequest",
		{ key: Buffer.from("benchkey"), value: Buffer.alloc(256, "v") },
		load,
	);
	const moved = Number((await client.range("none")).header.revision) - before;
	client.close();
	// The warm-up's puts move the revision too, so it must have moved by at least what was counted.
	if (moved < result.requests)
		throw new Error(`h2load counted ${result.requests} answers, the revision moved by ${moved}: some were refusals`);
	return { perSecond: result.requests / load.seconds, meanMs: result.meanMs, maxMs: result.maxMs };
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const programs: ("flotilla" | "etcd")[] = haveProgram("etcd") ? ["flotilla", "etcd"] : ["flotilla"];

const rows = new Map<string, Row[]>();
for (let round = 0; round < rounds; round++) {
	for (const [name, load] of loads) {
		for (const program of round % 2 === 0 ? programs : [...programs].reverse()) {
			const cluster = await ProcessCluster.start({ program });
			try {
				const row = await measure(cluster, load);
				const key = `${name}/${program}`;
				rows.set(key, [...(rows.get(key) ?? []), row]);
				console.log(
					`round ${round + 1}  ${name.padEnd(30)} ${program.padEnd(9)} ${row.perSecond.toFixed(0).padStart(7)}/s  mean ${row.meanMs.toFixed(2)} ms  max ${row.maxMs.toFixed(1)} ms`,
				);
			} finally {
				await cluster.dispose();
			}
		}
	}
}
console.log(`\nmedian of ${rounds} interleaved rounds of ${seconds} s`);
for (const [name] of loads) {
	const of = (program: string): Row[] => rows.get(`${name}/${program}`) ?? [];
	const ours = of("flotilla");
	const theirs = of("etcd");
	const rate = median(ours.map((row) => row.perSecond));
	let line = `${name.padEnd(30)} flotilla ${rate.toFixed(0)}/s, mean ${median(ours.map((row) => row.meanMs)).toFixed(2)} ms`;
	if (theirs.length > 0) {
		const reference = median(theirs.map((row) => row.perSecond));
		line += `; etcd ${reference.toFixed(0)}/s, mean ${median(theirs.map((row) => row.meanMs)).toFixed(2)} ms; ratio ${(rate / reference).toFixed(2)}`;
	}
	console.log(line);
}
