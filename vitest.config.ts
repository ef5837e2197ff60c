import { defineConfig } from "vitest/config";

// Tests run on plain Node (no module runner between): native speed, native resolution, exact lines.
const execArgv = ["--conditions=@flotilla/source"];

// Reached only by what would never end or come to pass, on a machine as busy as may be.
const PATIENCE_MS = 120_000;
const expectations = { poll: { interval: 20, timeout: PATIENCE_MS / 2 } };

const pure = ["base", "raft", "mvcc", "api", "replica"];

export default defineConfig({
	test: {
		// Much of the time of tests with real processes is waiting.
		maxWorkers: 2,
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
