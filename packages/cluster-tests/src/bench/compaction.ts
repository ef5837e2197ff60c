/**
 * What a compaction of many revisions costs those who write meanwhile, and what it gives back:
 * `npm run compaction -- [--revisions 1000000] [--members 1] [--rounds 3] [--streams 16]`.
 * The p99 of puts is taken in turn without a compaction and while one runs, physical removal included.
 */
import { parseArgs } from "node:util";
import { KvClient } from "../client/kv-client.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { PutLoad, percentile } from "./put-load.ts";

const { values: flags } = parseArgs({
	options: {
		revisions: { type: "string", default: "1000000" },
		members: { type: "string", default: "1" },
		rounds: { type: "string", default: "3" },
		streams: { type: "string", default: "16" },
		seconds: { type: "string", default: "5" },
	},
});
const revisions = Number(flags.revisions);
const rounds = Number(flags.rounds);
const streams = Number(flags.streams);
const measureMs = Number(flags.seconds) * 1_000;
/** Many revisions of few keys: nearly all of them go. */
const KEYS = 10_000;
const makeKey = (n: number): Buffer => Buffer.from(`key/${String(n % KEYS).padStart(8, "0")}`);
const VALUE = Buffer.alloc(100, "v");

const cluster = await ProcessCluster.start({ size: Number(flags.members), flags: ["--quota-backend-bytes", String(16 * 1024 ** 3)] });
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
	for (let round = 1; round <= rounds; round++) {
		const filling = new PutLoad({ url, streams: 64, makeKey, makeValue: () => VALUE });
		await filling.run(0, revisions);
		filling.close();
		const before = await mb();
		const without = await measure(Promise.resolve());
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
		await pause(5_000);
		const [p99Without, p99During] = [percentile(without, 0.99), percentile(during, 0.99)];
		ratios.push(p99During / p99Without);
		console.log(
			`round ${round}: p99 ${p99Without.toFixed(2)} ms without, ${p99During.toFixed(2)} ms with (${(p99During / p99Without).toFixed(2)}); ` +
				`removal took ${((await took) / 1_000).toFixed(1)} s; ${before}, then ${await mb()}`,
		);
	}
	console.log(`median ratio ${ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)]?.toFixed(2)}`);
	load.close();
	client.close();
} finally {
	await cluster.dispose();
}
