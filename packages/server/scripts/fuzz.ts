/**
 * `npm run fuzz [-- inputs [seed [target]]]`: a million random inputs for each target (of slow ones a part), unless told otherwise. Every input follows
 * from seed, target and number, so that what fails can be done again. Says how long the slowest took and how much memory stayed.
 */
import { fuzz, GROWTH_BYTES_MAX } from "../test/fuzz/campaign.ts";
import { SHARES, TARGETS } from "../test/fuzz/targets.ts";

const asked = Number(process.argv[2] ?? 1_000_000);
const seed = process.argv[3] ?? String(Date.now());
const only = process.argv[4];

let failed = false;
for (const [name, target] of TARGETS) {
	if (only !== undefined && only !== name) continue;
	const inputs = Math.ceil(asked / (SHARES.get(name) ?? 1));
	const startedMs = performance.now();
	const { failure, slowestMs, grownBytes } = await fuzz(name, target, inputs, seed);
	if (failure !== null) console.error(failure);
	failed ||= failure !== null || grownBytes > GROWTH_BYTES_MAX;
	const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
	console.log(
		`${name}: ${inputs} inputs in ${seconds} s, the slowest ${slowestMs.toFixed(1)} ms, memory ${(grownBytes / (1 << 20)).toFixed(1)} MiB more`,
	);
}
console.log(failed ? `failed, seed ${seed}` : `nothing found, seed ${seed}`);
process.exit(failed ? 1 : 0);
