/** How the measuring commands of this package are called: their usage, their flags, and a clear word for anything else. */
import { parseArgs } from "node:util";

export interface NumberFlag {
	/** Whole numbers from `least` on, to `most` where more could not be done in any time. */
	readonly kind: "number";
	readonly least: number;
	readonly most?: number;
	readonly fallback: number;
	readonly about: string;
}

export interface ChoiceFlag {
	readonly kind: "choice";
	readonly of: readonly string[];
	/** What it is when it is not given; need not be one of them. */
	readonly fallback: string;
	readonly about: string;
}

export type CommandFlag = NumberFlag | ChoiceFlag;

export interface Command<Flags extends Readonly<Record<string, CommandFlag>>> {
	/** `npm run scale --`. */
	readonly call: string;
	readonly about: string;
	readonly flags: Flags;
	/** Flags whose values may also stand alone, in this order. */
	readonly bare?: ReadonlyArray<keyof Flags & string>;
}

export type FlagValues<Flags extends Readonly<Record<string, CommandFlag>>> = {
	readonly [Name in keyof Flags]: Flags[Name] extends ChoiceFlag ? Flags[Name]["of"][number] | Flags[Name]["fallback"] : number;
};

export type CommandReading<Flags extends Readonly<Record<string, CommandFlag>>> =
	| { readonly kind: "values"; readonly values: FlagValues<Flags> }
	| { readonly kind: "help"; readonly text: string }
	| { readonly kind: "wrong"; readonly text: string };

/** What this process was called with. Ends it with status 0 after the usage, with 2 where the call is wrong. */
export function commandFlags<const Flags extends Readonly<Record<string, CommandFlag>>>(command: Command<Flags>): FlagValues<Flags> {
	const reading = readCommand(command, process.argv.slice(2));
	if (reading.kind === "values") return reading.values;
	if (reading.kind === "help") {
		console.log(reading.text);
		process.exit(0);
	}
	console.error(reading.text);
	process.exit(2);
}

export function readCommand<const Flags extends Readonly<Record<string, CommandFlag>>>(
	command: Command<Flags>,
	args: readonly string[],
): CommandReading<Flags> {
	const wrong = (text: string) => ({ kind: "wrong", text: `${text}\n${command.call} --help tells what may be said` }) as const;
	const names = Object.keys(command.flags);
	const options = Object.fromEntries(names.map((name) => [name, { type: "string" } as const]));
	const { tokens } = parseArgs({
		args: [...args],
		options: { ...options, help: { type: "boolean" } },
		strict: false,
		tokens: true,
		allowPositionals: true,
	});
	const given = new Map<string, string>();
	const bare = [...(command.bare ?? [])];
	for (const token of tokens) {
		if (token.kind === "option-terminator") continue;
		if (token.kind === "positional") {
			const name = bare.shift();
			if (name === undefined) return wrong(`${JSON.stringify(token.value)} is one word too many`);
			given.set(name, token.value);
		} else if (token.name === "help") return { kind: "help", text: usage(command) };
		else if (!names.includes(token.name)) return wrong(`there is no flag ${token.rawName}`);
		else if (token.value === undefined) return wrong(`--${token.name} needs a value`);
		else given.set(token.name, token.value);
	}
	const values: Record<string, string | number> = {};
	for (const [name, flag] of Object.entries(command.flags)) {
		const text = given.get(name);
		const value = text === undefined ? flag.fallback : readValue(flag, text);
		if (value === null) return wrong(`--${name} takes ${describeValue(flag)}, not ${JSON.stringify(text)}`);
		values[name] = value;
	}
	return { kind: "values", values: values as FlagValues<Flags> };
}

/** The number that a flag was given. Throws the sentence that refuses anything else. */
export function wholeNumber(flag: string, text: string, { min, max }: { readonly min: number; readonly max: number }): number {
	const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
	if (value >= min && value <= max) return value;
	throw new Error(`${flag} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}

/** Null when the flag does not take it. */
function readValue(flag: CommandFlag, text: string): string | number | null {
	if (flag.kind === "choice") return flag.of.includes(text) ? text : null;
	const number = Number(text);
	const most = flag.most ?? Number.MAX_SAFE_INTEGER;
	return /^\d+$/.test(text) && number >= flag.least && number <= most ? number : null;
}

function describeValue(flag: CommandFlag): string {
	if (flag.kind === "choice") return flag.of.join(" or ");
	return `a whole number from ${flag.least} ${flag.most === undefined ? "on" : `to ${flag.most}`}`;
}

function usage<Flags extends Readonly<Record<string, CommandFlag>>>({ call, about, flags, bare = [] }: Command<Flags>): string {
	const words = bare.map((name) => ` [${name}]`).join("");
	const lines = Object.entries(flags).map(([name, flag]) => {
		const fallback = flag.fallback === "" ? "" : ` (${flag.fallback})`;
		return `  --${name.padEnd(14)} ${flag.about}: ${describeValue(flag)}${fallback}`;
	});
	return [`${call}${words} [--flag value ...]`, "", about, ...lines].join("\n");
}
