/**
 * `npm run listing -- [--keys 1000000] [--value-bytes 64]`: a list of all keys, by Range and by RangeStream, at the leader and at a
 * follower of three members, and what it does to heartbeats and memory. Exit status 1 if that cost an election, or keys lack.
 */
import { parseArgs } from "node:util";
import { RawRange } from "../client/raw-range.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { leaderOf } from "./leader-of.ts";
import { describe, fill, observe } from "./observation.ts";

const { values: flags } = parseArgs({
	options: {
		keys: { type: "string", default: "1000000" },
		"value-bytes": { type: "string", default: "64" },
		"rest-ms": { type: "string", default: "3000" },
	},
});
const keys = Number(flags.keys);
/** Between two lists: what one of them left for the collector is not the next one's. */
const restMs = Number(flags["rest-ms"]);

const cluster = await ProcessCluster.start({ flags: ["--quota-backend-bytes", String(16 * 2 ** 30)] });
try {
	const leader = await leaderOf(cluster);
	const follower = cluster.members.find((member) => member !== leader) ?? leader;
	await fill(leader.clientUrl, "list/", keys, Number(flags["value-bytes"]));
	console.log(`${keys} keys of 16 bytes, values of ${flags["value-bytes"]} bytes, 3 members`);
	await pause(restMs);
	console.log(`nothing asked: ${describe(await observe(cluster.members, () => pause(restMs)))}`);
	for (const method of ["Range", "RangeStream"] as const) {
		for (const [name, member] of [
			["the leader", leader],
			["a follower", follower],
		] as const) {
			await pause(restMs);
			const range = new RawRange(member.clientUrl, method);
			const observed = await observe(cluster.members, () => range.read());
			const found = range.count();
			console.log(`${method} at ${name} (${member.name}): ${found} keys in ${range.messages} message(s), ${describe(observed)}`);
			if (found !== keys || observed.elections > 0) process.exitCode = 1;
		}
	}
} finally {
	await cluster.dispose();
}
