/**
 * The store against its naive twin, with compactions and restarts in between:
 * `npm run twin -- [--operations 5000000] [--seed S] [--steps 400]`. Ends with status 1 at the first difference, and says by which
 * seed it is found again: `npm run twin -- --seed <that> --operations 1`.
 */
import { parseArgs } from "node:util";
import { compareTwins } from "../test/twins.ts";

const { values: flags } = parseArgs({
	options: {
		operations: { type: "string", default: "1000000" },
		seed: { type: "string", default: String(Date.now()) },
		steps: { type: "string", default: "400" },
	},
});
const operations = Number(flags.operations);
const steps = Number(flags.steps);
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
