/** Runs seeds of the random scenario: `seeds.ts <from> <upto> [faulty ms]`. Prints each seed that fails; exits 1 if one did. */
import { runSeed, zeroCount } from "../test/world/scenario.ts";

const [from = 1, upto = 100, faultyMs = 12_000] = process.argv.slice(2).map(Number);
const count = zeroCount();
let failed = 0;
for (let seed = from; seed <= upto; seed++) {
	try {
		runSeed(seed, faultyMs, count);
	} catch (error) {
		failed++;
		console.log(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
	}
}
console.log(`${upto - from + 1} seeds, ${failed} failed: ${JSON.stringify(count)}`);
process.exitCode = failed > 0 ? 1 : 0;
