/**
 * `npm run damage -- [--every N] [--seed S]`: a small data folder, damaged in every way that one change can; a member must serve
 * exactly what was acknowledged, or say what is wrong. `--every 50` tries every fiftieth damage.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runDamage } from "./campaign.ts";

const { values } = parseArgs({
	options: { every: { type: "string", default: "1" }, seed: { type: "string", default: String(Date.now() % 1_000_000) } },
});
const folder = await mkdtemp(join(tmpdir(), "flotilla-damage-"));
try {
	const report = await runDamage({ folder, every: Number(values.every), seed: values.seed, progress: (line) => console.log(line) });
	for (const [file, counts] of report.byFile) console.log(`${file}: ${counts}`);
	for (const { damage, verdict, text } of report.bad) console.log(`${verdict}: ${damage.file}, ${damage.what}: ${text}`);
	console.log(
		`${report.tried} damages (seed ${values.seed}): ${report.recovered} recovered, ${report.refused} refused by name, ${report.bad.length} neither`,
	);
	process.exitCode = report.bad.length === 0 ? 0 : 1;
} finally {
	await rm(folder, { recursive: true, force: true });
}
