/**
 * `npm run listing -- [--keys 1000000] [--value-bytes 64]`: a list of all keys, by Range and by RangeStream, at the leader and at a
 * follower of three members, and what it does to heartbeats and memory. Exit status 1 if that cost an election, or keys lack.
 */
import { commandFlags } from "@flotilla/base/command";
import { RawRange } from "../client/raw-range.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { leaderOf } from "./leader-of.ts";
import { describe, fill, observe } from "./observation.ts";

const flags = commandFlags(
	{
		call: "npm run listing --",
		about: "A list of all keys, at the leader and at a follower, and what it does to heartbeats and memory.",
		flags: {
			keys: { kind: "number", least: 1, fallback: 1_000_000, about: "how many" },
			"value-bytes": { kind: "number", least: 0, fallback: 64, about: "of each value" },
			"rest-ms": { kind: "number", least: 0, fallback: 3_000, about: "between two lists, so that what one left is not the next one's" },
		},
	},
	process,
);
const { keys, "rest-ms": restMs } = flags;

const cluster = await ProcessCluster.start({ flags: ["--quota-backend-bytes", String(16 * 2 ** 30)] });
try {
	const leader = await leaderOf(cluster);
	const follower = cluster.members.find((member) => member !== leader) ?? leader;
	await fill(leader.clientUrl, "list/", keys, flags["value-bytes"]);
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
