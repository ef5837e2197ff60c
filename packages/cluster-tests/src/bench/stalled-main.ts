/**
 * `npm run stalled -- [--stalled 1000] [--seconds 60] [--puts 5000] [--members 3]`: watchers that do not read beside watchers that do,
 * under a steady load; first without the former, then with them.
 */
import { commandFlags } from "@flotilla/base/command";
import { measureStalled, type StalledFigures } from "./stalled-watchers.ts";

const { stalled, seconds, puts, members } = commandFlags(
	{
		call: "npm run stalled --",
		about: "Watchers that do not read beside watchers that do, under a steady load; first without the former, then with them.",
		flags: {
			stalled: { kind: "number", least: 1, fallback: 1_000, about: "watchers that do not read" },
			seconds: { kind: "number", least: 1, fallback: 60, about: "of load" },
			puts: { kind: "number", least: 1, fallback: 5_000, about: "a second" },
			members: { kind: "number", least: 1, most: 9, fallback: 3, about: "of the cluster" },
		},
	},
	process,
);
const options = {
	...{ connections: 20, reading: 10, putsPerSecond: puts },
	...{ seconds, members },
};

const without = await measureStalled({ ...options, stalled: 0 });
show("without", without);
const withThem = await measureStalled({ ...options, stalled });
show(`with ${stalled}`, withThem);
const more = withThem.memoryMb - without.memoryMb;
console.log(`memory for the stalled ones: ${more} MB (peaks: ${withThem.memoryPeakMb - without.memoryPeakMb} MB)`);
console.log(
	`p99 of the others' events: ${withThem.eventP99Ms} ms by ${without.eventP99Ms} ms, ${(withThem.eventP99Ms / without.eventP99Ms).toFixed(2)} times`,
);
process.exitCode = withThem.faults.length === 0 ? 0 : 1;

function show(name: string, figures: StalledFigures): void {
	console.log(`${name} stalled: ${JSON.stringify(figures)}`);
}
