import { defineConfig } from "vitest/config";

// Tests run on plain Node (no module runner between): native speed, native resolution, exact lines.
const execArgv = ["--conditions=@flotilla/source"];

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
					testTimeout: 60_000,
				},
			},
			{
				test: {
					name: "server",
					include: ["packages/server/{src,test}/**/*.test.ts", "tools/**/*.test.ts"],
					pool: "forks",
					execArgv,
					experimental: { viteModuleRunner: false },
					testTimeout: 60_000,
				},
			},
			{
				test: {
					name: "cluster",
					include: ["packages/{cluster-tests,bench}/{src,test}/**/*.test.ts"],
					pool: "forks",
					execArgv,
					experimental: { viteModuleRunner: false },
					testTimeout: 300_000,
					hookTimeout: 120_000,
				},
			},
		],
	},
});
