/** `npm run lease-storm -- [--leases 100000] [--ttl 60] [--keys 10000] [--members 1] [--streams 16]`: puts beside very many leases. */
import { parseArgs } from "node:util";
import { leaseStorm } from "./lease-storm.ts";

const { values } = parseArgs({
	options: {
		leases: { type: "string", default: "100000" },
		ttl: { type: "string", default: "60" },
		keys: { type: "string", default: "10000" },
		members: { type: "string", default: "1" },
		streams: { type: "string", default: "16" },
		seconds: { type: "string", default: "5" },
	},
});
const { phases, ...figures } = await leaseStorm({
	leases: Number(values.leases),
	ttlSeconds: Number(values.ttl),
	keys: Number(values.keys),
	members: Number(values.members),
	streams: Number(values.streams),
	phaseMs: Number(values.seconds) * 1_000,
});
console.log(JSON.stringify(figures));
for (const [name, { leaderCpuSeconds, leaderLoopMs, max, p50, p99, puts }] of Object.entries(phases)) {
	const times = (p99 / phases.without.p99).toFixed(2);
	console.log(
		`puts ${name.padEnd(9)} ${String(puts).padStart(7)}, p50 ${p50} ms, p99 ${p99} ms (${times} times), longest ${max} ms; leader: ${leaderCpuSeconds} s of processor, loop held ${leaderLoopMs} ms`,
	);
}
