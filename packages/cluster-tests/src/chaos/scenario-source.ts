/** The text of a scenario, read as YAML; whatever is wrong in it is told in one sentence with its file and line. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";

const TEXT_MAX = 1 << 16;
const SHOWN_MAX = 60;

/** Field names and places in lists, from the outermost in. */
export type Path = ReadonlyArray<string | number>;

export class ScenarioSource {
	/** As the caller named it. */
	readonly file: string;
	readonly value: unknown;
	private readonly document: Document.Parsed;
	private readonly lines = new LineCounter();

	constructor(file: string, text: string) {
		this.file = file;
		if (text.length > TEXT_MAX) throw new Error(`${file} has ${text.length} characters; a scenario has ${TEXT_MAX} at most`);
		this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false });
		const [error] = [...this.document.errors, ...this.document.warnings];
		if (error !== undefined) this.refuse(this.lines.linePos(error.pos[0]).line, `this is no YAML: ${firstLine(error)}`);
		try {
			this.value = this.document.toJS();
		} catch (error) {
			this.refuse(1, `this is no YAML: ${firstLine(error as Error)}`);
		}
	}

	/** Throws: what stands at this path is wrong. Where it is missing the line is that of what it is missing from. */
	wrong(path: Path, what: string): never {
		return this.refuse(this.lineOf(path), what);
	}

	private refuse(line: number, what: string): never {
		throw new Error(`${this.file}, line ${line}: ${what}`);
	}

	private lineOf(path: Path): number {
		let node: Node | null = this.document.contents;
		let offset = node?.range?.[0] ?? 0;
		for (const step of path) {
			if (isAlias(node)) node = node.resolve(this.document) ?? null;
			if (isMap(node)) {
				const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
				if (pair === undefined) break;
				offset = (pair.key as Node).range?.[0] ?? offset;
				node = pair.value as Node | null;
			} else if (isSeq(node)) {
				node = (node.items[Number(step)] ?? null) as Node | null;
				offset = node?.range?.[0] ?? offset;
			}
		}
		return this.lines.linePos(offset).line;
	}
}

/** A value as a sentence can show it. */
export function shown(value: unknown): string {
	const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
	return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstLine({ message }: Error): string {
	return message.split("\n")[0] ?? "";
}
