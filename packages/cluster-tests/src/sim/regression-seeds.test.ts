import { describe, expect, test } from "vitest";
import { drawPlan } from "./plan.ts";
import { REGRESSION_SEEDS } from "./regression-seeds.ts";
import { simulate } from "./run.ts";

describe("a seed that once found a bug passes", () => {
	test.each(REGRESSION_SEEDS)("$seed: $was", ({ seed, limits }) => {
		const { verdict, findings } = simulate(drawPlan(seed, limits));
		expect(verdict, findings.join("\n")).toBe("ok");
	});
});
