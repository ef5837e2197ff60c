import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// Tests run on plain Node (no module runner between): native speed, native resolution, exact lines.
const execArgv = ["--conditions=@flotilla/source"];

// Reached only by what would never end or come to pass, on a machine as busy as may be.
const PATIENCE_MS = 120_000;
const expectations = { poll: { interval: 20, timeout: PATIENCE_MS / 2 } };

/** Files that take longest, none of which is to run on alone at the end. All others follow in the order that vitest gives them. */
const LONG = [
	"cluster-tests/test/chaos.test.ts",
	"cluster-tests/test/chaos-places.test.ts",
	"cluster-tests/test/migrate-faults.test.ts",
	"bench/test/processes.test.ts",
	"cluster-tests/test/snapshot.test.ts",
	"cluster-tests/test/space.test.ts",
	"server/test/fuzz/fuzz.test.ts",
	"cluster-tests/test/readme.test.ts",
	"cluster-tests/test/containers.test.ts",
	"cluster-tests/test/deaf-peer.test.ts",
	"cluster-tests/test/slow-clients.test.ts",
	"cluster-tests/test/stream-corpus.test.ts",
];

class LongestFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const placeOf = ({ moduleId }: TestSpecification): number => {
			const place = LONG.findIndex((name) => moduleId.endsWith(name));
			return place < 0 ? LONG.length : place;
		};
		return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
	}
}

const pure = ["base", "raft", "mvcc", "api", "replica"];

export default defineConfig({
	test: {
		// Much of the time of tests with real processes is waiting: one on two processors takes half of one, about.
		maxWorkers: 3,
		sequence: { sequencer: LongestFirst },
		projects: [
			{
				test: {
					name: "pure",
					include: pure.map((name) => `packages/${name}/{src,test}/**/*.test.ts`),
					pool: "threads",
					isolate: false,
					execArgv,
					experimental: { viteModuleRunner: false },
					testTimeout: PATIENCE_MS,
					hookTimeout: PATIENCE_MS,
					expect: expectations,
				},
			},
			{
				test: {
					name: "server",
					include: ["packages/server/{src,test}/**/*.test.ts", "tools/**/*.test.ts"],
					pool: "forks",
					execArgv,
					experimental: { viteModuleRunner: false },
					testTimeout: PATIENCE_MS,
					hookTimeout: PATIENCE_MS,
					expect: expectations,
				},
			},
			{
				test: {
					name: "cluster",
					include: ["packages/{cluster-tests,bench}/{src,test}/**/*.test.ts"],
					pool: "forks",
					execArgv,
					experimental: { viteModuleRunner: false },
					testTimeout: 5 * PATIENCE_MS,
					hookTimeout: 5 * PATIENCE_MS,
					expect: expectations,
				},
			},
		],
	},
});
