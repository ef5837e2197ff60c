/** `npm run lease-storm -- [--leases 100000] [--ttl 60] [--keys 10000] [--members 1] [--streams 16]`: puts beside very many leases. */
import { commandFlags } from "@flotilla/base/command";
import { leaseStorm } from "./lease-storm.ts";

const flags = commandFlags(
	{
		call: "npm run lease-storm --",
		about: "Very many leases: granting, listing and renewing them, and the end of all at once, each beside puts.",
		flags: {
			leases: { kind: "number", least: 1, fallback: 100_000, about: "how many" },
			ttl: { kind: "number", least: 2, fallback: 60, about: "of each, in seconds; all must be renewed within it" },
			keys: { kind: "number", least: 0, fallback: 10_000, about: "of so many leases one hangs on each" },
			members: { kind: "number", least: 1, most: 9, fallback: 1, about: "of the cluster" },
			streams: { kind: "number", least: 1, fallback: 16, about: "puts at a time" },
			seconds: { kind: "number", least: 1, fallback: 5, about: "each phase of puts takes at least" },
		},
	},
	process,
);
const { phases, ...figures } = await leaseStorm({
	leases: flags.leases,
	ttlSeconds: flags.ttl,
	keys: flags.keys,
	members: flags.members,
	streams: flags.streams,
	phaseMs: flags.seconds * 1_000,
});
console.log(JSON.stringify(figures));
for (const [name, { leaderCpuSeconds, leaderLoopMs, max, p50, p99, puts }] of Object.entries(phases)) {
	const times = (p99 / phases.without.p99).toFixed(2);
	console.log(
		`puts ${name.padEnd(9)} ${String(puts).padStart(7)}, p50 ${p50} ms, p99 ${p99} ms (${times} times), longest ${max} ms; leader: ${leaderCpuSeconds} s of processor, loop held ${leaderLoopMs} ms`,
	);
}
