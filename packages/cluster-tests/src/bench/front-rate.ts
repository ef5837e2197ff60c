/**
 * What the gRPC front costs in the whole server: `npm run bench:front [-- rounds seconds]`. Three members, fsync on, 8-byte key, 256-byte
 * value, h2load on the leader, our own HTTP/2 and grpc-js in turn; puts per second, and CPU time of the leader and of all members
 * for each put. Every round is checked by the revision it moved.
 */
import { readFileSync } from "node:fs";
import { commandFlags } from "@flotilla/base/command";
import { KvClient } from "../client/kv-client.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { putByH2load } from "./h2load-puts.ts";

const WARM_UP_SECONDS = 3;
const { rounds, seconds } = commandFlags(
	{
		call: "npm run bench:front --",
		about: "Puts by h2load on the leader of three members, by our own front and by grpc-js in turn: their rate and processor time.",
		flags: {
			rounds: { kind: "number", least: 1, fallback: 3, about: "of each load" },
			seconds: { kind: "number", least: 1, fallback: 5, about: "of each measurement" },
		},
		bare: ["rounds", "seconds"],
	},
	process,
);

interface Load {
	readonly connections: number;
	/** At once on each connection. */
	readonly streams: number;
}

const loads: readonly (readonly [string, Load])[] = [
	["1 stream", { connections: 1, streams: 1 }],
	["32 streams, 1 connection", { connections: 1, streams: 32 }],
	["256 streams, 16 connections", { connections: 16, streams: 16 }],
];
const servers = ["native", "grpc-js"] as const;

interface Row {
	readonly perSecond: number;
	readonly leaderUs: number;
	readonly clusterUs: number;
}

/** User and system time of a process in microseconds; the kernel counts in hundredths of a second (proc(5)). */
function cpuUs(pid: number): number {
	const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
		.replace(/^.*\) /s, "")
		.split(" ");
	return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function measure(cluster: ProcessCluster, load: Load): Promise<Row> {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	const answers = await Promise.all(clients.map((client) => client.status()));
	const at = answers.findIndex((answer) => answer.leader === answer.header.member_id);
	const client = clients[at] as KvClient;
	const pids = cluster.members.map((member) => member.process.pid);
	const before = Number((await client.range("none")).header.revision);
	const cpuBefore = pids.map(cpuUs);
	const answered = await putByH2load(cluster.member(at).clientUrl, { ...load, seconds, warmUpSeconds: WARM_UP_SECONDS });
	const spent = pids.map((pid, i) => cpuUs(pid) - (cpuBefore[i] as number));
	const moved = Number((await client.range("none")).header.revision) - before;
	for (const each of clients) each.close();
	// h2load takes refusals for answers. The warm-up's puts move the revision, too.
	if (moved < answered) throw new Error(`h2load counted ${answered} answers, the revision moved by ${moved}`);
	const allUs = spent.reduce((sum, us) => sum + us, 0);
	return { perSecond: answered / seconds, leaderUs: (spent[at] as number) / moved, clusterUs: allUs / moved };
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const rows = new Map<string, Row[]>();
for (let round = 0; round < rounds; round++) {
	for (const [name, load] of loads) {
		for (const server of round % 2 === 0 ? servers : [...servers].reverse()) {
			const cluster = await ProcessCluster.start({ flags: ["--grpc-server", server] });
			try {
				const row = await measure(cluster, load);
				const key = `${name}/${server}`;
				rows.set(key, [...(rows.get(key) ?? []), row]);
				console.log(
					`round ${round + 1}  ${name.padEnd(28)} ${server.padEnd(8)} ${row.perSecond.toFixed(0).padStart(7)}/s  CPU a put: leader ${row.leaderUs.toFixed(1)} us, all ${row.clusterUs.toFixed(1)} us`,
				);
			} finally {
				await cluster.dispose();
			}
		}
	}
}
console.log(`\nmedians of ${rounds} interleaved rounds of ${seconds} s`);
for (const [name] of loads) {
	const line = servers.map((server) => {
		const of = rows.get(`${name}/${server}`) ?? [];
		const figure = (pick: (row: Row) => number): number => median(of.map(pick));
		return `${server} ${figure((r) => r.perSecond).toFixed(0)}/s, leader ${figure((r) => r.leaderUs).toFixed(1)} us, all ${figure((r) => r.clusterUs).toFixed(1)} us`;
	});
	console.log(`${name.padEnd(28)} ${line.join("; ")}`);
}
