/** Where the local cluster shows itself: a block redrawn in place below what scrolls, or plain lines. */
import { readFileSync } from "node:fs";
import type { WriteStream } from "node:tty";

export interface Screen {
	/** A line that stays. */
	say(line: string): void;
	/** The block at the bottom, as it is now. Plain output has none. */
	show(block: readonly string[]): void;
	/** Leaves the block as it stands. */
	close(): void;
	readonly live: boolean;
}

type TerminalOutput = Pick<WriteStream, "write"> & { readonly columns?: number };

export class TerminalScreen implements Screen {
	readonly live = true;
	private readonly output: TerminalOutput;
	private block: readonly string[] = [];
	private shown = "";

	constructor(output: TerminalOutput) {
		this.output = output;
	}

	say(line: string): void {
		this.shown = this.text();
		this.output.write(`${this.upToBlock()}${ERASE_BELOW}${line}\n${this.shown}`);
	}

	show(block: readonly string[]): void {
		const up = this.upToBlock();
		this.block = block;
		const text = this.text();
		if (text === this.shown) return;
		this.shown = text;
		this.output.write(`${up}${text}${ERASE_BELOW}`);
	}

	close(): void {
		this.block = [];
		this.shown = "";
	}

	private upToBlock(): string {
		return this.block.length === 0 ? "" : `\u001b[${this.block.length}A\r`;
	}

	/** No line may wrap: the way back up counts lines. */
	private text(): string {
		// Some terminals do not know their width and say 0.
		const columns = this.output.columns || 80;
		return this.block.map((line) => `${line.slice(0, columns - 1)}${ERASE_LINE_END}\n`).join("");
	}
}

const ERASE_BELOW = "\u001b[J";
const ERASE_LINE_END = "\u001b[K";

export class PlainScreen implements Screen {
	readonly live = false;
	private readonly output: Pick<WriteStream, "write">;

	constructor(output: Pick<WriteStream, "write">) {
		this.output = output;
	}

	say(line: string): void {
		this.output.write(`${line}\n`);
	}

	show(): void {}

	close(): void {}
}

/**
 * Whether this process may use the terminal: started with `&` it may not, and a single attempt to change the terminal's mode
 * would stop it.
 */
export function ownsTerminal(): boolean {
	if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
	try {
		// Behind the name, which may hold anything: state, parent, group, session, terminal, the terminal's foreground group.
		const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1)?.split(" ") ?? [];
		return fields[2] === fields[5];
	} catch {
		// Outside Linux nobody tells; a terminal is then taken for ours.
		return true;
	}
}
