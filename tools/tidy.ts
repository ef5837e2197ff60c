/**
 * The house rules as a program: arrows between rooms, purity, doors, cycles, file lengths, unfinished work.
 * `node tools/tidy.ts` prints each finding as path:line: text and exits 1 if there is one. It changes nothing.
 */
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { IMPURE_NAMES, PACKAGES, ROOMS } from "./rooms.ts";
import { type ImportLine, listSources, type SourceFile } from "./source-scan.ts";

const LINES_MAX = 600;

export function tidy(files: readonly SourceFile[]): string[] {
	const findings: string[] = [];
	for (const file of files) {
		const report = (line: number, text: string): void => void findings.push(`${file.path}:${line}: ${text}`);
		checkImports(file, report);
		checkPurity(file, report);
		checkUnfinished(file, report);
		checkLength(file, report);
	}
	findings.push(...findCycles(files.filter((file) => !isTest(file.path))));
	return findings;
}

type Report = (line: number, text: string) => void;

function checkImports(file: SourceFile, report: Report): void {
	const owner = packageOf(file.path);
	const rule = owner === null ? undefined : PACKAGES[owner];
	if (owner === null || rule === undefined) {
		if (owner !== null) report(1, `package ${owner} has no row in tools/rooms.ts`);
		return;
	}
	for (const line of file.imports) {
		if (line.specifier.startsWith(".")) checkRelative(file, owner, line, report);
		else if (line.specifier.startsWith("@flotilla/")) checkOurs(file, owner, line, report);
		else if (!isTest(file.path) && !isScript(file.path)) checkOutside(owner, line, report);
	}
}

function checkRelative(file: SourceFile, owner: string, line: ImportLine, report: Report): void {
	const target = normalize(join(dirname(file.path), line.specifier)).replaceAll("\\", "/");
	if (!target.startsWith(`packages/${owner}/`)) report(line.line, `reaches out of its package: ${line.specifier}`);
	const isDoor = target === `packages/${owner}/src/index.ts` || target === `packages/${owner}/src/internal.ts`;
	const fromDoor = file.path.endsWith("/src/index.ts") || file.path.endsWith("/src/internal.ts");
	if (isDoor && !fromDoor && !isTest(file.path)) report(line.line, "imports its own package's door");
	const room = roomOf(file.path);
	if (room === null || isTest(file.path) || line.typeOnly) return;
	const from = `packages/${room.name}`;
	if (target.startsWith(`${from}/`)) return;
	const top = `packages/${owner}/src/`;
	const rest = target.slice(top.length);
	const folder = rest.includes("/") ? (rest.split("/")[0] as string) : ".";
	if (!room.folders.includes(folder)) report(line.line, `room ${room.name} must not import ${folder === "." ? rest : folder}`);
}

function checkOurs(file: SourceFile, owner: string, line: ImportLine, report: Report): void {
	const name = line.specifier.slice("@flotilla/".length);
	const rule = PACKAGES[owner];
	if (name === owner || name.startsWith(`${owner}/`)) {
		if (!isTest(file.path)) report(line.line, `imports its own package by name: ${line.specifier}`);
		return;
	}
	const always = (isTest(file.path) && name === "base") || (isScript(file.path) && name === "base/command");
	if (rule !== undefined && !rule.ours.includes(name) && !always) {
		report(line.line, `${owner} must not import ${name}`);
	}
}

function checkOutside(owner: string, line: ImportLine, report: Report): void {
	const rule = PACKAGES[owner];
	if (rule === undefined) return;
	const allowed = rule.outside.some((name) =>
		name === "node:*" ? line.specifier.startsWith("node:") : line.specifier === name || line.specifier.startsWith(`${name}/`),
	);
	if (!allowed) report(line.line, `${owner} must not depend on ${line.specifier}`);
}

function checkPurity(file: SourceFile, report: Report): void {
	if (isTest(file.path) || isScript(file.path) || !isPure(file.path)) return;
	const lines = file.code.split("\n");
	for (const [at, line] of lines.entries()) {
		for (const name of IMPURE_NAMES) {
			const found = name.exec(line);
			if (found !== null) report(at + 1, `a pure room must not use ${found[0]}`);
		}
	}
}

function checkUnfinished(file: SourceFile, report: Report): void {
	for (const [at, line] of file.text.split("\n").entries()) {
		if (/\b(TODO|FIXME|XXX)\b/.test(line) && !file.path.startsWith("tools/")) report(at + 1, "unfinished work");
		if (/\b(test|describe|it)\.only\(/.test(line)) report(at + 1, "a test that silences the others");
		if (/@ts-ignore|@ts-nocheck/.test(line) && !file.path.startsWith("tools/")) report(at + 1, "the type check is switched off");
	}
}

function checkLength(file: SourceFile, report: Report): void {
	if (file.lines <= LINES_MAX) return;
	const head = file.text.slice(0, 1500);
	if (!/Long because/.test(head)) report(1, `${file.lines} lines, limit ${LINES_MAX}: split it, or say "Long because ..." in its header`);
}

/** Run-time import cycles between files, each reported once, at its alphabetically first file. */
function findCycles(files: readonly SourceFile[]): string[] {
	const known = new Set(files.map((file) => file.path));
	const arrows = new Map<string, string[]>();
	for (const file of files) {
		const targets = file.imports
			.filter((line) => !line.typeOnly && line.specifier.startsWith("."))
			.map((line) => normalize(join(dirname(file.path), line.specifier)).replaceAll("\\", "/"))
			.filter((path) => known.has(path));
		arrows.set(file.path, targets);
	}
	const findings = new Set<string>();
	const state = new Map<string, "open" | "done">();
	const stack: string[] = [];
	const visit = (path: string): void => {
		state.set(path, "open");
		stack.push(path);
		for (const next of arrows.get(path) ?? []) {
			if (state.get(next) === "open") {
				const cycle = stack.slice(stack.indexOf(next));
				const first = [...cycle].sort()[0] as string;
				const turned = [...cycle.slice(cycle.indexOf(first)), ...cycle.slice(0, cycle.indexOf(first))];
				findings.add(`${first}:1: import cycle: ${[...turned, first].join(" -> ")}`);
			} else if (!state.has(next)) visit(next);
		}
		stack.pop();
		state.set(path, "done");
	};
	for (const file of files) if (!state.has(file.path)) visit(file.path);
	return [...findings];
}

function packageOf(path: string): string | null {
	const parts = path.split("/");
	return parts[0] === "packages" ? (parts[1] as string) : null;
}

function roomOf(path: string): { name: string; folders: readonly string[] } | null {
	for (const [name, room] of Object.entries(ROOMS)) if (path.startsWith(`packages/${name}/`)) return { name, folders: room.folders };
	return null;
}

function isPure(path: string): boolean {
	const owner = packageOf(path);
	if (owner !== null && PACKAGES[owner]?.pure === true && path.startsWith(`packages/${owner}/src/`)) return true;
	return Object.entries(ROOMS).some(([name, room]) => room.pure === true && path.startsWith(`packages/${name}/`));
}

function isTest(path: string): boolean {
	return path.endsWith(".test.ts") || path.endsWith(".suite.ts") || /^packages\/[^/]+\/test\//.test(path);
}

function isScript(path: string): boolean {
	return /^packages\/[^/]+\/scripts\//.test(path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const root = fileURLToPath(new URL("..", import.meta.url));
	const findings = tidy([...listSources(root, "packages"), ...listSources(root, "tools")]);
	for (const finding of findings) console.log(finding);
	console.log(findings.length === 0 ? "tidy: nothing to report" : `tidy: ${findings.length} findings`);
	process.exitCode = findings.length === 0 ? 0 : 1;
}
