/**
 * What a compaction of many revisions costs those who write meanwhile, and what it gives back:
 * `npm run compaction -- [--revisions 1000000] [--members 1] [--rounds 3] [--streams 16] [--puts-a-call 1]`.
 * The p99 of puts is taken while one runs, physical removal included, and for as long before and behind it: a machine with other
 * work changes by the second. With `--puts-a-call` the records are put by transactions: as many, in fewer revisions.
 */
import { commandFlags } from "@flotilla/base/command";
import { KvClient } from "../client/kv-client.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { cpuSeconds } from "./process-usage.ts";
import { PutLoad, percentile } from "./put-load.ts";

const flags = commandFlags(
	{
		call: "npm run compaction --",
		about: "What a compaction costs those who write meanwhile, and what it gives back.",
		flags: {
			revisions: { kind: "number", least: 1, fallback: 1_000_000, about: "written before each compaction" },
			members: { kind: "number", least: 1, most: 9, fallback: 1, about: "of the cluster" },
			rounds: { kind: "number", least: 1, fallback: 3, about: "of filling and compacting" },
			streams: { kind: "number", least: 1, fallback: 16, about: "puts at a time" },
			seconds: { kind: "number", least: 1, fallback: 5, about: "each measurement takes at least" },
			"puts-a-call": { kind: "number", least: 1, fallback: 1, about: "more than one travel in transactions" },
		},
	},
	process,
);
const { revisions, rounds, streams } = flags;
const measureMs = flags.seconds * 1_000;
/** Many revisions of few keys: nearly all of them go. */
const KEYS = 10_000;
const makeKey = (n: number): Buffer => Buffer.from(`key/${String(n % KEYS).padStart(8, "0")}`);
const VALUE = Buffer.alloc(100, "v");

const cluster = await ProcessCluster.start({ size: flags.members, flags: ["--quota-backend-bytes", String(16 * 1024 ** 3)] });
try {
	const url = cluster.member(0).clientUrl;
	const client = new KvClient(cluster.endpoints[0] as string);
	const load = new PutLoad({ url, streams, makeKey, makeValue: () => VALUE });
	/** The puts of as long as `until` takes, at least `measureMs`. */
	const measure = async (until: Promise<unknown>): Promise<number[]> => {
		const started = performance.now();
		let over = false;
		void until.then(() => {
			over = true;
		});
		const latencies = await load.run(0, Number.MAX_SAFE_INTEGER, () => over && performance.now() - started >= measureMs);
		return latencies.sort((a, b) => a - b);
	};
	const mb = async (): Promise<string> => {
		const { dbSize, dbSizeInUse } = await client.status();
		return `${(Number(dbSize) / 1e6).toFixed(0)} MB on disk, ${(Number(dbSizeInUse) / 1e6).toFixed(0)} MB in use`;
	};
	console.log(`${revisions} revisions of ${KEYS} keys, ${flags.members} member(s), ${streams} puts at a time, ${rounds} rounds`);
	const ratios: number[] = [];
	const all = { without: [] as number[], during: [] as number[] };
	const pids = cluster.members.map(({ process: { pid } }) => pid);
	const spent = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
	for (let round = 1; round <= rounds; round++) {
		const filling = new PutLoad({ url, streams: 64, putsACall: flags["puts-a-call"], makeKey, makeValue: () => VALUE });
		await filling.run(0, revisions);
		filling.close();
		const before = await mb();
		const beganSeconds = spent();
		const first = await measure(Promise.resolve());
		const idleSeconds = spent() - beganSeconds;
		const { revision } = (await client.range("none")).header;
		const compaction = client.call(
			"KV",
			"Compact",
			["CompactionRequest", "CompactionResponse"],
			{ revision, physical: true },
			{ timeoutMs: 600_000 },
		);
		const started = performance.now();
		const took = compaction.then(() => performance.now() - started);
		const during = await measure(compaction);
		const busySeconds = spent() - beganSeconds - idleSeconds;
		// What is left of the removal.
		await pause(2 * measureMs);
		const last = await measure(Promise.resolve());
		const without = [...first, ...last].sort((a, b) => a - b);
		all.without = all.without.concat(without);
		all.during = all.during.concat(during);
		const [p99Without, p99During] = [percentile(without, 0.99), percentile(during, 0.99)];
		ratios.push(p99During / p99Without);
		const extraSeconds = (busySeconds / during.length - idleSeconds / first.length) * during.length;
		console.log(
			`round ${round}: p99 ${p99Without.toFixed(2)} ms without (${percentile(first, 0.99).toFixed(2)} before, ${percentile(last, 0.99).toFixed(2)} behind it), ` +
				`${p99During.toFixed(2)} ms with (${(p99During / p99Without).toFixed(2)}); removal took ${((await took) / 1_000).toFixed(1)} s, ` +
				`${extraSeconds.toFixed(1)} s of processor time more than the puts; ${before}, then ${await mb()}`,
		);
	}
	for (const latencies of [all.without, all.during]) latencies.sort((a, b) => a - b);
	console.log(`all rounds: p99 ${percentile(all.without, 0.99).toFixed(2)} ms without, ${percentile(all.during, 0.99).toFixed(2)} ms with`);
	console.log(`median ratio ${ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)]?.toFixed(2)}`);
	load.close();
	client.close();
} finally {
	await cluster.dispose();
}
