/**
 * `npm run fuzz [-- inputs [seed [target]]]`: a million random inputs for each target, unless told otherwise. Every input follows
 * from seed, target and number, so that what fails can be done again. Says how long the slowest took and how much memory stayed.
 */
import { Dice } from "@flotilla/base";
import { TARGETS } from "../test/fuzz/targets.ts";

const inputs = Number(process.argv[2] ?? 1_000_000);
const seed = process.argv[3] ?? String(Date.now());
const only = process.argv[4];

/** A target runs on one dice for so many inputs, so that a failure is found again soon. */
const INPUTS_PER_DICE = 1_000;
const GROWTH_BYTES_MAX = 16 << 20;

function usedBytes(): number {
	globalThis.gc?.();
	globalThis.gc?.();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}

let failed = false;
for (const [name, target] of TARGETS) {
	if (only !== undefined && only !== name) continue;
	let slowestMs = 0;
	let before = 0;
	const startedMs = performance.now();
	for (let at = 0; at < inputs; at += INPUTS_PER_DICE) {
		const run = target(new Dice(`${seed}/${name}/${at}`));
		for (let input = at; input < Math.min(inputs, at + INPUTS_PER_DICE); input++) {
			const begunMs = performance.now();
			try {
				run();
			} catch (error) {
				console.error(`${name}: seed ${seed}, input ${input}: ${error instanceof Error ? error.stack : String(error)}`);
				failed = true;
				at = inputs;
				break;
			}
			slowestMs = Math.max(slowestMs, performance.now() - begunMs);
		}
		// What is compiled and cached once does not count.
		if (at === 10 * INPUTS_PER_DICE) before = usedBytes();
	}
	const grownBytes = before === 0 ? 0 : usedBytes() - before;
	if (grownBytes > GROWTH_BYTES_MAX) failed = true;
	const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
	console.log(
		`${name}: ${inputs} inputs in ${seconds} s, the slowest ${slowestMs.toFixed(1)} ms, memory ${(grownBytes / (1 << 20)).toFixed(1)} MiB more`,
	);
}
console.log(failed ? `failed, seed ${seed}` : `nothing found, seed ${seed}`);
process.exit(failed ? 1 : 0);
