/**
 * Every shipped scenario in a short form, after which every promise must have been kept. The files that call this share the scenarios
 * among them, so that they run side by side; each scenario meets one of the two gRPC adapters, drawn from the seed, and those that stand
 * for a goal (docs/reliability.md) meet both. `npm run chaos -- --all --grpc-server both` is all of them with both.
 */
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { missingFor } from "../src/chaos/faults/index.ts";
import { cannotAt } from "../src/chaos/places/place.ts";
import { LinesLeft, REST_MS, SHORT_SECONDS, shortForm } from "../src/chaos/short-form.ts";
import { runKept, SEED, shipped } from "./chaos-run.ts";

const MINUTES = 60_000;
const ADAPTERS = ["native", "grpc-js"] as const;
/** Kills of one, of the leader and of all, a clean stop of the leader, a partition, a write that fails. */
const GOALS: ReadonlySet<string> = new Set(["single-kill", "leader-kill", "all-kill", "leader-stop", "halves", "failing-disk"]);

export const SHIPPED: readonly string[] = readdirSync(new URL("../scenarios/", import.meta.url))
	.map((file) => file.replace(/\.yaml$/, ""))
	.sort();

/** The share of the file that calls: `part` from 0 to `parts` - 1. */
export function walkShipped(part: number, parts: number): void {
	for (const name of SHIPPED.filter((_, at) => at % parts === part)) {
		const scenario = shortForm(shipped(name, SHORT_SECONDS));
		const missing = cannotAt("processes", scenario) ?? missingFor(scenario, "flotilla");
		const because = missing === null ? "" : ` (${missing})`;
		const adapters = GOALS.has(name) ? ADAPTERS : [new Dice(`${SEED}/adapter of ${name}`).pick([...ADAPTERS])];
		for (const adapter of adapters) {
			const title = `${name}: each of its faults strikes, and every promise is kept${GOALS.has(name) ? `, by ${adapter}` : ""}${because}`;
			test.skipIf(missing !== null)(title, { timeout: 10 * MINUTES }, async () => {
				const folder = LinesLeft.needsFolder(name) ? await mkdtemp(join(tmpdir(), "flotilla-walk-")) : null;
				const left = new LinesLeft(scenario, folder);
				await runKept(scenario, { folder, flags: [`--grpc-server=${adapter}`], restMs: REST_MS, enoughOf: left.enoughOf });
				expect(left.lines).toEqual([]);
				if (folder !== null) await rm(folder, { recursive: true });
			});
		}
	}
}
