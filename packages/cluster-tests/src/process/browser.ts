/** Pages of ours as a real browser shows them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "./tools.ts";

export const CHROMIUM = process.env.FLOTILLA_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
	...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic", "--disable-sync"],
	...["--disable-background-networking", "--disable-component-update", "--window-size=1200,1400"],
];

/** A browser takes a second or two to draw a page, and many times that beside others on a machine as busy as may be. */
const PATIENCE_MS = 280_000;

/** Standard output of the browser on this file. */
export async function browse(file: string, ...flags: string[]): Promise<string> {
	const profile = await mkdtemp(join(tmpdir(), "flotilla-browser-"));
	try {
		const args = [...FLAGS, `--user-data-dir=${profile}`, ...flags, `file://${file}`];
		return (await runTool(CHROMIUM, args, { timeoutMs: PATIENCE_MS })).stdout;
	} finally {
		await rm(profile, { recursive: true, force: true, maxRetries: 5 });
	}
}

/** What a report shows as text, its elements told apart by `|`; and whether it was drawn to the end. */
export async function pageText(file: string): Promise<{ readonly drawn: boolean; readonly text: string }> {
	const dom = await browse(file, "--dump-dom");
	return {
		drawn: dom.includes('data-drawn="yes"'),
		text: dom
			.slice(0, dom.indexOf("<script>"))
			.replace(/<[^>]+>/g, "|")
			.replace(/\|+/g, "|"),
	};
}
