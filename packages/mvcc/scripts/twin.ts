/**
 * The store against its naive twin, with compactions and restarts in between:
 * `npm run twin -- [--operations 5000000] [--seed S] [--steps 400]`. Ends with status 1 at the first difference, and says by which
 * seed it is found again: `npm run twin -- --seed <that> --operations 1`.
 */
import { commandFlags } from "@flotilla/base/command";
import { compareTwins } from "../test/twins.ts";

const flags = commandFlags(
	{
		call: "npm run twin --",
		about: "The store against its naive twin, with compactions and restarts in between; fails at the first difference.",
		flags: {
			operations: { kind: "number", least: 1, fallback: 1_000_000, about: "in all" },
			seed: { kind: "text", fallback: String(Date.now()), otherwise: "from the clock", about: "whatever is drawn follows from it" },
			steps: { kind: "number", least: 1, fallback: 400, about: "of a round, behind which the stores are made anew" },
		},
	},
	process,
);
const { operations, steps } = flags;
const started = performance.now();
let said = 0;
console.log(`seed ${flags.seed}, ${operations} operations, ${steps} a round`);
for (let done = 0, round = 0; done < operations; done += steps, round++) {
	const difference = compareTwins(round === 0 ? flags.seed : `${flags.seed}/${round}`, steps);
	if (difference !== null) {
		console.error(difference);
		process.exit(1);
	}
	if (performance.now() - said < 30_000) continue;
	said = performance.now();
	console.log(`${done + steps} operations, ${Math.round((done + steps) / ((said - started) / 1_000))}/s`);
}
console.log(`${operations} operations, no difference, ${Math.round((performance.now() - started) / 1_000)} s`);
