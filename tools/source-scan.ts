/** Reads TypeScript sources as text: imports, code without comments and strings, lengths. No compiler needed. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

export interface ImportLine {
	readonly specifier: string;
	/** Erased at run time: `import type`, `export type`. */
	readonly typeOnly: boolean;
	readonly line: number;
}

export interface SourceFile {
	/** Relative to the root, with `/`. */
	readonly path: string;
	readonly text: string;
	/** Comments and the contents of strings blanked out; offsets and lines unchanged. */
	readonly code: string;
	readonly lines: number;
	readonly imports: readonly ImportLine[];
}

export function listSources(root: string, folder: string): SourceFile[] {
	const found: SourceFile[] = [];
	const walk = (path: string): void => {
		for (const name of readdirSync(path).sort()) {
			if (name === "node_modules" || name === "dist" || name === "generated") continue;
			const full = join(path, name);
			if (statSync(full).isDirectory()) walk(full);
			else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) {
				found.push(scanSource(relative(root, full).replaceAll("\\", "/"), readFileSync(full, "utf8")));
			}
		}
	};
	walk(join(root, folder));
	return found;
}

export function scanSource(path: string, text: string): SourceFile {
	const code = blankCommentsAndStrings(text);
	return { path, text, code, lines: text.split("\n").length, imports: findImports(text, code) };
}

function findImports(text: string, code: string): ImportLine[] {
	const imports: ImportLine[] = [];
	// The keyword is looked for in the blanked code, so that prose and strings cannot match; the specifier is read from the text.
	const statement = /(?:^|[\n;])\s*(import|export)(\s+type)?\b[^;]*?\bfrom\s*(["'])|\bimport\s*\(\s*(["'])|(?:^|[\n;])\s*import\s*(["'])/g;
	for (let match = statement.exec(code); match !== null; match = statement.exec(code)) {
		const quoteAt = match.index + match[0].length - 1;
		const end = text.indexOf(text[quoteAt] as string, quoteAt + 1);
		const names = match[0].slice(match[0].indexOf("{") + 1, match[0].lastIndexOf("}"));
		const allNamesAreTypes =
			match[0].includes("{") &&
			names
				.split(",")
				.map((name) => name.trim())
				.filter((name) => name !== "")
				.every((name) => name.startsWith("type "));
		imports.push({
			specifier: text.slice(quoteAt + 1, end),
			typeOnly: match[2] !== undefined || allNamesAreTypes,
			line: text.slice(0, quoteAt).split("\n").length,
		});
	}
	return imports;
}

/** A small scanner: enough of the grammar to tell comments, strings and templates from code. */
export function blankCommentsAndStrings(text: string): string {
	const out = Array.from(text);
	const blank = (from: number, to: number): void => {
		for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
	};
	const templateDepths: number[] = [];
	let depth = 0;
	let lastSignificant = "";
	for (let i = 0; i < text.length; ) {
		const two = text.slice(i, i + 2);
		const c = text[i] as string;
		if (two === "//") {
			const end = endOfLine(text, i);
			blank(i, end);
			i = end;
		} else if (two === "/*") {
			const found = text.indexOf("*/", i + 2);
			const end = found < 0 ? text.length : found + 2;
			blank(i, end);
			i = end;
		} else if (c === '"' || c === "'") {
			const end = endOfString(text, i, c);
			blank(i + 1, end - 1);
			lastSignificant = c;
			i = end;
		} else if (c === "`" || (c === "}" && templateDepths.at(-1) === depth)) {
			if (c === "}") templateDepths.pop();
			const [end, opensExpression] = endOfTemplatePart(text, i + 1);
			blank(i + 1, opensExpression ? end - 2 : end - 1);
			if (opensExpression) templateDepths.push(depth);
			lastSignificant = "`";
			i = end;
		} else if (c === "/" && /[=(,:[!&|?{};\n]|^$/.test(lastSignificant)) {
			const end = endOfRegExp(text, i);
			blank(i + 1, end - 1);
			lastSignificant = "/";
			i = end;
		} else {
			if (c === "{") depth++;
			if (c === "}") depth--;
			if (!/\s/.test(c)) lastSignificant = c;
			i++;
		}
	}
	return out.join("");
}

function endOfLine(text: string, from: number): number {
	const end = text.indexOf("\n", from);
	return end < 0 ? text.length : end;
}

function endOfString(text: string, from: number, quote: string): number {
	for (let i = from + 1; i < text.length; i++) {
		if (text[i] === "\\") i++;
		else if (text[i] === quote || text[i] === "\n") return i + 1;
	}
	return text.length;
}

function endOfTemplatePart(text: string, from: number): [number, boolean] {
	for (let i = from; i < text.length; i++) {
		if (text[i] === "\\") i++;
		else if (text[i] === "`") return [i + 1, false];
		else if (text[i] === "$" && text[i + 1] === "{") return [i + 2, true];
	}
	return [text.length, false];
}

function endOfRegExp(text: string, from: number): number {
	let inClass = false;
	for (let i = from + 1; i < text.length; i++) {
		const c = text[i];
		if (c === "\\") i++;
		else if (c === "[") inClass = true;
		else if (c === "]") inClass = false;
		else if ((c === "/" && !inClass) || c === "\n") return i + 1;
	}
	return text.length;
}
