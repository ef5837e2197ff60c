/**
 * `npm run big-revision -- [--keys 1000000] [--value-bytes 64]`: all keys are deleted by one request, which is one revision, while
 * somebody watches them, as a whole and in fragments, and others read, write and watch; what that does to heartbeats, reads and memory.
 * Exit status 1 if it is refused, if a member ends or that cost an election, or a watcher lacks an event.
 */

import { type ClientHttp2Session, connect } from "node:http2";
import { commandFlags } from "@flotilla/base/command";
import { KvClient } from "../client/kv-client.ts";
import { RawWatch } from "../client/raw-watch.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";
import { leaderOf } from "./leader-of.ts";
import { describe, fill, observe } from "./observation.ts";
import { cpuSeconds } from "./process-usage.ts";

const { keys, "value-bytes": valueBytes } = commandFlags(
	{
		call: "npm run big-revision --",
		about: "One request that deletes all keys, beside watchers, readers and writers: time, refusals, heartbeats, memory.",
		flags: {
			keys: { kind: "number", least: 1, fallback: 1_000_000, about: "how many" },
			"value-bytes": { kind: "number", least: 0, fallback: 64, about: "of each value" },
		},
	},
	process,
);
const LIMIT_MS = 120_000;
/** Everything was heard, or is not waited for any more. */
let over = false;
const WINDOW_BYTES = 4 << 20;

/** What became of a call that was made again and again. */
interface Repeated {
	readonly calls: number;
	readonly longestMs: number;
	/** By what they were refused with. */
	readonly refusals: ReadonlyMap<string, number>;
}

/** A call again and again until it is told to stop. */
async function repeat(call: () => Promise<unknown>, over: () => boolean): Promise<Repeated> {
	let longestMs = 0;
	let calls = 0;
	const refusals = new Map<string, number>();
	for (; !over(); calls++) {
		const startedMs = performance.now();
		await call().catch((error: unknown) => {
			const text = error instanceof Error ? error.message : String(error);
			refusals.set(text, (refusals.get(text) ?? 0) + 1);
		});
		longestMs = Math.max(longestMs, performance.now() - startedMs);
		await pause(5);
	}
	return { calls, longestMs, refusals };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function describeRepeated(name: string, { calls, longestMs, refusals }: Repeated): string {
	const refused = [...refusals].map(([text, count]) => `${count} x ${text}`).join(", ");
	return `${calls} ${name}, the longest ${seconds(longestMs)}, refused: ${refused || "none"}`;
}

const cluster = await ProcessCluster.start({ flags: ["--quota-backend-bytes", String(16 * 2 ** 30)] });
const client = new KvClient((await leaderOf(cluster)).clientUrl.slice("http://".length));
const follower = cluster.members.find(({ clientUrl }) => !clientUrl.endsWith(client.address));
/** A response as long as all events would be too much beside others on one connection: who wants it so has its own. */
const [alone, shared] = [1, 2].map(() => connect(follower?.clientUrl ?? "", { settings: { initialWindowSize: WINDOW_BYTES } })) as [
	ClientHttp2Session,
	ClientHttp2Session,
];
try {
	await fill(`http://${client.address}`, "big/", keys, valueBytes);
	await client.put("other", "v");
	console.log(`${keys} keys of 16 bytes, values of ${valueBytes} bytes, 3 members; the watchers are clients of a follower`);
	const heard = [0, 0, 0];
	const watchers = ["big/", "big/", "other"].map((prefix, at) => {
		const count = (events: number): void => {
			heard[at] = (heard[at] as number) + events;
		};
		return new RawWatch(at === 0 ? alone : shared, {
			prefix,
			fragment: at === 1,
			onEvent: () => count(1),
			onDeletions: count,
			onCanceled: () => {},
			onEnded: (text) => over || console.log(`watcher ${at} ended after ${heard[at]} events: ${text}`),
		});
	});
	await Promise.all(watchers.map(({ created }) => created));
	await pause(1_000);
	const spent = (): number => cluster.members.reduce((sum, { process }) => sum + (process.running ? cpuSeconds(process.pid) : 0), 0);
	const spentBefore = spent();
	const observed = await observe(cluster.members, async () => {
		const options = { timeoutMs: LIMIT_MS };
		const writes = repeat(
			() => client.put("other", "v", options),
			() => over,
		);
		const reads = repeat(
			() => client.range("other", { serializable: true }, options),
			() => over,
		);
		const startedMs = performance.now();
		const answer = await client.deleteRange("big/", { range_end: Buffer.from("big0") }, options).then(
			({ deleted }) => ({ deleted: Number(deleted), refusal: null }),
			(error: unknown) => ({ deleted: 0, refusal: String(error) }),
		);
		const answeredMs = performance.now() - startedMs;
		let missing: string | null = null;
		if (answer.refusal === null) {
			const all = async (): Promise<void> => {
				if (heard[0] !== keys || heard[1] !== keys) throw new Error(`heard ${heard.join(" and ")} events`);
			};
			await eventually("both have heard all of it", all, LIMIT_MS).catch((error: unknown) => {
				missing = String(error);
			});
		}
		const heardMs = performance.now() - startedMs;
		over = true;
		return { ...answer, answeredMs, heardMs, missing, writes: await writes, reads: await reads };
	});
	const { answeredMs, deleted, heardMs, missing, reads, refusal, writes } = observed.result;
	const running = cluster.members.filter(({ process }) => process.running).length;
	if (refusal !== null) console.log(`refused after ${seconds(answeredMs)}: ${refusal}`);
	else
		console.log(
			`${deleted} keys deleted in one revision: answered after ${seconds(answeredMs)}, heard by both watchers after ${seconds(heardMs)}`,
		);
	console.log(
		`meanwhile: ${describe(observed)}; ${(spent() - spentBefore).toFixed(1)} s of processor time of all members, ${running} of 3 run`,
	);
	if (missing !== null) console.log(missing);
	console.log(describeRepeated("writes", writes));
	console.log(describeRepeated("serializable reads", reads));
	console.log(`the watcher of another key heard ${heard[2]} puts`);
	if (deleted !== keys || missing !== null || observed.elections > 0 || running < 3) process.exitCode = 1;
} finally {
	for (const session of [alone, shared]) session.destroy();
	client.close();
	await cluster.dispose();
}
