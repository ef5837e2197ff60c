/** Many random inputs for one target: what came of them, how long the slowest took, and how much memory stayed. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Dice } from "@flotilla/base";
import type { Target } from "./targets.ts";

/** A target runs on one dice for so many inputs, so that a failure is found again soon. */
const INPUTS_PER_DICE = 1_000;
/** Behind so many the memory is looked at first: what is compiled and cached once does not count. */
const WARM_UP = 10 * INPUTS_PER_DICE;
export const GROWTH_BYTES_MAX = 16 << 20;

export interface Fuzzed {
	/** Null, or the first failure with its place. */
	readonly failure: string | null;
	readonly slowestMs: number;
	readonly grownBytes: number;
}

/** Every input follows from seed, name and number. */
export async function fuzz(name: string, target: Target, inputs: number, seed: string): Promise<Fuzzed> {
	let slowestMs = 0;
	let before = 0;
	for (let at = 0; at < inputs; at += INPUTS_PER_DICE) {
		const run = target(new Dice(`${seed}/${name}/${at}`));
		for (let input = at; input < Math.min(inputs, at + INPUTS_PER_DICE); input++) {
			const begunMs = performance.now();
			try {
				const running = run();
				// Most are done at once; a promise for each would take longer than they do.
				if (running !== undefined) await running;
			} catch (error) {
				const told = error instanceof Error ? error.stack : String(error);
				return { failure: `${name}: seed ${seed}, input ${input}: ${told}`, slowestMs, grownBytes: 0 };
			}
			slowestMs = Math.max(slowestMs, performance.now() - begunMs);
		}
		if (at === WARM_UP) before = usedBytes();
	}
	return { failure: null, slowestMs, grownBytes: before === 0 ? 0 : usedBytes() - before };
}

function usedBytes(): number {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	collect();
	collect();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}
