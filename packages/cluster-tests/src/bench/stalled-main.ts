/**
 * `npm run stalled -- [--stalled 1000] [--seconds 60] [--puts 5000] [--members 3]`: watchers that do not read beside watchers that do,
 * under a steady load; first without the former, then with them.
 */
import { parseArgs } from "node:util";
import { measureStalled, type StalledFigures } from "./stalled-watchers.ts";

const { values } = parseArgs({
	options: {
		stalled: { type: "string", default: "1000" },
		seconds: { type: "string", default: "60" },
		puts: { type: "string", default: "5000" },
		members: { type: "string", default: "3" },
	},
});
const options = {
	...{ connections: 20, reading: 10, putsPerSecond: Number(values.puts) },
	...{ seconds: Number(values.seconds), members: Number(values.members) },
};

const without = await measureStalled({ ...options, stalled: 0 });
show("without", without);
const withThem = await measureStalled({ ...options, stalled: Number(values.stalled) });
show(`with ${values.stalled}`, withThem);
const more = withThem.memoryMb - without.memoryMb;
console.log(`memory for the stalled ones: ${more} MB (peaks: ${withThem.memoryPeakMb - without.memoryPeakMb} MB)`);
console.log(
	`p99 of the others' events: ${withThem.eventP99Ms} ms by ${without.eventP99Ms} ms, ${(withThem.eventP99Ms / without.eventP99Ms).toFixed(2)} times`,
);
process.exitCode = withThem.faults.length === 0 ? 0 : 1;

function show(name: string, figures: StalledFigures): void {
	console.log(`${name} stalled: ${JSON.stringify(figures)}`);
}
