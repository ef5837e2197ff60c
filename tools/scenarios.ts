/**
 * docs/scenarios.md: every scenario of the catalogue with the tests that show it. A test names its scenarios by beginning its
 * title with their numbers ("SC-015 a stale grant ..."). `node tools/scenarios.ts` writes the page, as `npm run fix` does;
 * with `--check` it only says what is wrong with it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { CATALOGUE } from "./scenario-catalogue.ts";

export interface NumberedTest {
	readonly number: number;
	readonly file: string;
	readonly title: string;
}

/** Titles in a test file's text, or the one of a transcript. */
export function numberedTests(file: string, text: string): NumberedTest[] {
	const titles = file.endsWith(".txt")
		? [/^# (.*)$/m.exec(text)?.[1] ?? ""]
		: [...text.matchAll(/(?:\(|\[)\s*(["`])(SC-\d{3} (?:\\.|(?!\1).)*)\1/g)].map((match) => match[2] as string);
	const found: NumberedTest[] = [];
	for (const title of titles) {
		const [, numbers = "", claim = ""] = /^((?:SC-\d{3} )+)(.*)$/.exec(title) ?? [];
		for (const number of numbers.trim().split(" ")) {
			if (number !== "") found.push({ number: Number(number.slice(3)), file, title: claim });
		}
	}
	return found;
}

/** The page, and what is wrong with it: numbers without a test or a reason, and tests with unknown numbers. */
export function scenarioPage(tests: readonly NumberedTest[]): { readonly page: string; readonly problems: readonly string[] } {
	const problems: string[] = [];
	const known = new Set<number>();
	const lines = [
		"# Scenarios",
		"",
		"Written by `npm run fix`; `npm test` fails when a number has neither a test nor a reason, or when this page is not what the tests say.",
		"`npm test -- <file> -t SC-015` runs one. How the protocol stands: [consensus.md](consensus.md).",
	];
	for (const { title, scenarios } of CATALOGUE) {
		lines.push("", `## ${title}`, "", "| number | what | shown by |", "|---|---|---|");
		for (const { number, title: what, note } of scenarios) {
			known.add(number);
			const showing = tests.filter((test) => test.number === number);
			if (showing.length === 0 && note === undefined) problems.push(`${nameOf(number)} has neither a test nor a reason`);
			const cells = showing.map(({ file, title: claim }) => `\`${short(file)}\`: ${shown(claim)}`);
			if (note !== undefined) cells.push(note);
			lines.push(`| ${nameOf(number)} | ${what} | ${cells.join("<br>")} |`);
		}
	}
	for (const { number, file } of tests)
		if (!known.has(number)) problems.push(`${file} names ${nameOf(number)}, which is not in the catalogue`);
	return { page: `${lines.join("\n")}\n`, problems };
}

/** Numbers that a title is made with are not known here; what it says of its surroundings is of no interest. */
function shown(claim: string): string {
	return claim
		.replace(/\$\{because\}/g, "")
		.replace(/\$\{[^}]*\}/g, "N")
		.replaceAll("|", "\\|");
}

/** All tests and transcripts of the repository, by path. */
export function collectTests(root: string): NumberedTest[] {
	const found: NumberedTest[] = [];
	const visit = (folder: string) => {
		for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
			const path = join(folder, entry.name);
			if (entry.isDirectory()) {
				if (entry.name !== "node_modules" && entry.name !== "dist") visit(path);
			} else if (entry.name.endsWith(".test.ts") || /transcripts\/[^/]+\.txt$/.test(path)) {
				found.push(...numberedTests(relative(root, path), readFileSync(path, "utf8")));
			}
		}
	};
	visit(join(root, "packages"));
	return found;
}

function nameOf(number: number): string {
	return `SC-${String(number).padStart(3, "0")}`;
}

function short(file: string): string {
	return file.replace(/^packages\//, "").replace(/\.test\.ts$/, "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const root = fileURLToPath(new URL("..", import.meta.url));
	const { page, problems } = scenarioPage(collectTests(root));
	const file = join(root, "docs/scenarios.md");
	const checks = process.argv.includes("--check");
	const stale = checks && readFileSync(file, "utf8") !== page;
	for (const problem of problems) console.log(`scenarios: ${problem}`);
	if (stale) console.log("scenarios: docs/scenarios.md is not what the tests say; `npm run fix` writes it anew");
	if (!checks) writeFileSync(file, page);
	process.exitCode = problems.length === 0 && !stale ? 0 : 1;
}
