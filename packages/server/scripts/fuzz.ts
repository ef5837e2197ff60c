/**
 * `npm run fuzz [-- inputs [seed [target]]]`: a million random inputs for each target (of slow ones a part), unless told otherwise. Every input follows
 * from seed, target and number, so that what fails can be done again. Says how long the slowest took and how much memory stayed.
 */
import { commandFlags } from "@flotilla/base/command";
import { fuzz, GROWTH_BYTES_MAX } from "../test/fuzz/campaign.ts";
import { SHARES, TARGETS } from "../test/fuzz/targets.ts";

const {
	inputs: asked,
	seed,
	target: only,
} = commandFlags(
	{
		call: "npm run fuzz --",
		about: "Random inputs for everything that reads what others send; fails where one is not taken well, or memory stays.",
		flags: {
			inputs: { kind: "number", least: 1, fallback: 1_000_000, about: "for each target, of slow ones a part" },
			seed: { kind: "text", fallback: String(Date.now()), otherwise: "from the clock", about: "every input follows from it" },
			target: { kind: "choice", of: [...TARGETS].map(([name]) => name), fallback: "", about: "one alone" },
		},
		bare: ["inputs", "seed", "target"],
	},
	process,
);

let failed = false;
for (const [name, target] of TARGETS) {
	if (only !== "" && only !== name) continue;
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
