/** One byte, one cut, one missing file: a member serves exactly what was acknowledged, or says what is wrong, or it is a bug. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runDamage } from "../src/damage/campaign.ts";
import { describeDamage } from "../src/damage/damages.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

test(`a data folder damaged in some 200 ways, one at a time (FLOTILLA_SEED=${seed})`, async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-damage-"));
	try {
		const report = await runDamage({ folder, every: 251, part: null, seed, progress: () => {} });
		expect(report.bad.map(({ damage, verdict, text }) => `${verdict}: ${describeDamage(damage)}: ${text}`)).toEqual([]);
		expect(report.tried).toBeGreaterThan(150);
		expect(report.recovered).toBeGreaterThan(20);
		expect(report.refused).toBeGreaterThan(20);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
});
