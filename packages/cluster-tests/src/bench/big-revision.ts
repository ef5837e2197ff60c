/**
 * `npm run big-revision -- [--keys 1000000] [--value-bytes 64]`: all keys are deleted by one request, which is one revision, while
 * somebody watches them, as a whole and in fragments, and others read, write and watch; what that does to heartbeats, reads and memory.
 * Exit status 1 if that cost an election or a watcher lacks an event.
 */

import { connect } from "node:http2";
import { parseArgs } from "node:util";
import { KvClient } from "../client/kv-client.ts";
import { RawWatch } from "../client/raw-watch.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";
import { leaderOf } from "./leader-of.ts";
import { describe, fill, observe } from "./observation.ts";

const { values: flags } = parseArgs({
	options: { keys: { type: "string", default: "1000000" }, "value-bytes": { type: "string", default: "64" } },
});
const keys = Number(flags.keys);
const LIMIT_MS = 120_000;
const WINDOW_BYTES = 4 << 20;

/** A call again and again until it is told to stop: the longest time that one took, in milliseconds. */
async function longest(call: () => Promise<unknown>, over: () => boolean): Promise<number> {
	let longestMs = 0;
	while (!over()) {
		const startedMs = performance.now();
		await call();
		longestMs = Math.max(longestMs, performance.now() - startedMs);
		await pause(5);
	}
	return longestMs;
}

const cluster = await ProcessCluster.start({ flags: ["--quota-backend-bytes", String(16 * 2 ** 30)] });
const client = new KvClient((await leaderOf(cluster)).clientUrl.slice("http://".length));
const follower = cluster.members.find(({ clientUrl }) => !clientUrl.endsWith(client.address));
const session = connect(follower?.clientUrl ?? "", { settings: { initialWindowSize: WINDOW_BYTES } });
try {
	await fill(`http://${client.address}`, "big/", keys, Number(flags["value-bytes"]));
	await client.put("other", "v");
	console.log(`${keys} keys of 16 bytes, values of ${flags["value-bytes"]} bytes, 3 members; the watchers are clients of a follower`);
	const heard = [0, 0, 0];
	const watchers = ["big/", "big/", "other"].map((prefix, at) => {
		const count = (events: number): void => {
			heard[at] = (heard[at] as number) + events;
		};
		return new RawWatch(session, { prefix, fragment: at === 1, onEvent: () => count(1), onDeletions: count, onCanceled: () => {} });
	});
	await Promise.all(watchers.map(({ created }) => created));
	await pause(1_000);
	const observed = await observe(cluster.members, async () => {
		let over = false;
		const options = { timeoutMs: LIMIT_MS };
		const writes = longest(
			() => client.put("other", "v", options),
			() => over,
		);
		const reads = longest(
			() => client.range("other", { serializable: true }, options),
			() => over,
		);
		const startedMs = performance.now();
		const { deleted } = await client.deleteRange("big/", { range_end: Buffer.from("big0") }, options);
		const answeredMs = performance.now() - startedMs;
		await eventually(
			"both have heard all of it",
			async () => {
				if (heard[0] !== keys || heard[1] !== keys) throw new Error(`heard ${heard.join(" and ")} events`);
			},
			LIMIT_MS,
		);
		const heardMs = performance.now() - startedMs;
		over = true;
		return { deleted: Number(deleted), answeredMs, heardMs, writeMs: await writes, readMs: await reads };
	});
	const { deleted, answeredMs, heardMs, writeMs, readMs } = observed.result;
	const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
	console.log(
		`${deleted} keys deleted in one revision: answered after ${seconds(answeredMs)}, heard by both watchers after ${seconds(heardMs)}`,
	);
	console.log(`meanwhile: ${describe(observed)}`);
	console.log(
		`longest write ${seconds(writeMs)}, longest serializable read ${seconds(readMs)}; the watcher of another key heard ${heard[2]} puts`,
	);
	if (deleted !== keys || observed.elections > 0) process.exitCode = 1;
} finally {
	session.destroy();
	client.close();
	await cluster.dispose();
}
