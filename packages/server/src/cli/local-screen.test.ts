import { expect, test } from "vitest";
import { readLocalOptions } from "./local-options.ts";
import { PlainScreen, TerminalScreen } from "./local-screen.ts";
import { changeLines, type LocalRow, tableLines } from "./local-table.ts";

const ESCAPE = "\u001b";
const TOKEN = new RegExp(`${ESCAPE}\\[\\d*[A-Z]|[\\r\\n]|[^${ESCAPE}\\r\\n]+`, "g");

/** As much of a terminal as the screen uses: lines, a cursor, erasing. */
class Terminal {
	lines: string[] = [""];
	private row = 0;
	private column = 0;
	readonly columns: number;
	constructor(columns: number) {
		this.columns = columns;
	}
	write(text: string): boolean {
		for (const token of text.match(TOKEN) ?? []) this.take(token);
		return true;
	}
	private take(token: string): void {
		if (token === "\n") {
			this.row++;
			this.column = 0;
			this.lines[this.row] ??= "";
		} else if (token === "\r") this.column = 0;
		else if (token.endsWith("A") && token.startsWith("\u001b")) this.row -= Number(token.slice(2, -1));
		else if (token === "\u001b[J") {
			this.lines[this.row] = this.line.slice(0, this.column);
			this.lines.length = this.row + 1;
		} else if (token === "\u001b[K") this.lines[this.row] = this.line.slice(0, this.column);
		else {
			expect(this.column + token.length).toBeLessThan(this.columns);
			this.lines[this.row] = this.line.slice(0, this.column) + token + this.line.slice(this.column + token.length);
			this.column += token.length;
		}
		expect(this.row).toBeGreaterThanOrEqual(0);
	}
	private get line(): string {
		return this.lines[this.row] as string;
	}
}

test("the block stays at the bottom, whatever is said above it, and shrinks without remains", () => {
	const terminal = new Terminal(40);
	const screen = new TerminalScreen(terminal as never);
	screen.say("first");
	screen.show(["a long line of the block", "b", "c"]);
	screen.say("second");
	screen.show(["A", "B"]);
	expect(terminal.lines).toEqual(["first", "second", "A", "B", ""]);
	screen.close();
	screen.say("last");
	expect(terminal.lines).toEqual(["first", "second", "A", "B", "last", ""]);
});

test("lines of the block are cut at the terminal's width", () => {
	const terminal = new Terminal(10);
	const screen = new TerminalScreen(terminal as never);
	screen.show(["0123456789abcdef", "x"]);
	screen.show(["0123456789abcdef", "y"]);
	expect(terminal.lines).toEqual(["012345678", "y", ""]);
});

test("plain output holds no control characters and no block", () => {
	const written: string[] = [];
	const screen = new PlainScreen({ write: (piece: string) => written.push(piece) > 0 } as never);
	screen.say("one");
	screen.show();
	screen.say("two");
	expect(written.join("")).toBe("one\ntwo\n");
});

const leader: LocalRow = { name: "m1", id: "8e9e05c52164694d", endpoint: "127.0.0.1:2379", role: "leader", term: 2, revision: 7 };
const other: LocalRow = { name: "m2", id: "", endpoint: "127.0.0.1:22379", role: "starting", term: 0, revision: 0 };

test("the table shows what is known and a dash for what is not", () => {
	expect(tableLines([leader, other])).toEqual([
		"  NAME  ID                ENDPOINT         ROLE      TERM  REVISION",
		"  m1    8e9e05c52164694d  127.0.0.1:2379   leader    2     7",
		"  m2    -                 127.0.0.1:22379  starting  -     -",
	]);
});

test("a change of role or term is a line, a revision that counts on is none", () => {
	const [second, third] = [
		{ ...leader, revision: 9 },
		{ ...leader, role: "down" as const },
	];
	expect(changeLines([leader], [second])).toEqual([]);
	expect(changeLines([leader], [third])).toEqual(["m1: down"]);
	expect(changeLines([third], [{ ...third, term: 0 }])).toEqual([]);
	expect(changeLines([third], [{ ...leader, role: "follower", term: 3 }])).toEqual(["m1: follower, term 3, revision 7"]);
});

test("ports and folder come from flags, then from variables, then from habit", () => {
	const usual = readLocalOptions([], {});
	expect(usual).toMatchObject({ ok: true, value: { portsGiven: false, ports: [{ clientPort: 2379, peerPort: 2380 }, {}, {}] } });
	const environment = { FLOTILLA_CLIENT_PORTS: "1,2,3", FLOTILLA_DATA_DIR: "/x" };
	expect(readLocalOptions(["--client-ports=0,0,9"], environment)).toMatchObject({
		ok: true,
		value: { portsGiven: true, folder: "/x", ports: [{ clientPort: 0 }, { clientPort: 0 }, { clientPort: 9, peerPort: 32380 }] },
	});
});

for (const [args, reason] of [
	[["--client-ports=1,2"], /^--client-ports "1,2": need 3 ports/],
	[["--peer-ports=1,2,70000"], /need 3 ports/],
	[["--peer-ports=a,b,c"], /need 3 ports/],
	[["--nope"], /Unknown option '--nope'/],
	[["stray"], /Unexpected argument 'stray'/],
] as const) {
	test(`refused: ${args.join(" ")}`, () => {
		const options = readLocalOptions(args, {});
		expect(options.ok ? "" : options.reason).toMatch(reason);
	});
}
