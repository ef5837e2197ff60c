/**
 * How much targets work for an input, counted and not timed: the engine counts how often each block of our sources runs, so what works
 * for long shows on a machine as busy as may be. A process of its own, since optimized code is not counted and one session counts for all:
 *
 *     node --no-opt --no-maglev counted-work.ts <inputs> <seed>      prints, as JSON, the most by target
 */
import { type Profiler, Session } from "node:inspector";
import { Dice } from "@flotilla/base";
import { HpackDecoder } from "../../src/http2/hpack-decoder.ts";
import { TARGETS, type Target } from "./targets.ts";

export interface Work {
	/** Blocks that ran for an input. */
	readonly mean: number;
	readonly most: number;
	/** Number of the input that took most. */
	readonly at: number;
}

/** What is known to be long: a header block of so many fields, each of one byte. */
export const LONG = "a long header block";
export const LONG_FIELDS = 10_000;

const OURS = "/packages/";
const TESTS = "/test/";

class BlockCounts {
	private readonly session = new Session();

	constructor() {
		this.session.connect();
		this.session.post("Profiler.enable");
		this.session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
	}

	/** Since it was last taken. */
	take(): number {
		let found: Profiler.ScriptCoverage[] = [];
		// Answered before it returns: the session is with this very thread.
		this.session.post("Profiler.takePreciseCoverage", (error, { result }) => {
			if (error !== null) throw error;
			found = result;
		});
		const ours = found.filter(({ url }) => url.includes(OURS) && !url.includes(TESTS));
		return ours.flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges)).reduce((sum, { count }) => sum + count, 0);
	}
}

async function workOf(run: () => void | Promise<void>, inputs: number, counts: BlockCounts): Promise<Work> {
	let [total, most, mostAt] = [0, 0, 0];
	counts.take();
	for (let at = 0; at < inputs; at++) {
		await run();
		const work = counts.take();
		total += work;
		if (work <= most) continue;
		most = work;
		mostAt = at;
	}
	return { mean: total / inputs, most, at: mostAt };
}

const longBlock: Target = () => {
	const block = Buffer.alloc(LONG_FIELDS, 0x82);
	return () => void new HpackDecoder({ listBytesMax: 1e9, fieldsMax: 1e9 }).decode(block, 0, block.length);
};

if (import.meta.main) {
	const [inputs, seed] = [Number(process.argv[2]), process.argv[3] ?? ""];
	const counts = new BlockCounts();
	const found: Array<[string, Work]> = [];
	for (const [name, target] of TARGETS) found.push([name, await workOf(target(new Dice(`${seed}/${name}/0`)), inputs, counts)]);
	found.push([LONG, await workOf(longBlock(new Dice(seed)), 3, counts)]);
	process.stdout.write(JSON.stringify(Object.fromEntries(found)));
}
