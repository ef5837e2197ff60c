/** How the commands of this repository are called: their usage, their flags, and one line for anything else. */

interface AnyFlag {
	readonly about: string;
	/** What the usage says it is when it is not given, in place of the fallback. */
	readonly otherwise?: string;
}

export interface NumberFlag extends AnyFlag {
	/** Whole numbers from `least` on, to `most` where more could not be done in any time. */
	readonly kind: "number";
	readonly least: number;
	readonly most?: number;
	/** What it is when it is not given; need not be in these bounds. */
	readonly fallback: number;
}

export interface ChoiceFlag extends AnyFlag {
	readonly kind: "choice";
	readonly of: readonly string[];
	/** What it is when it is not given; need not be one of them. */
	readonly fallback: string;
}

export interface TextFlag extends AnyFlag {
	/** Anything but nothing. */
	readonly kind: "text";
	readonly fallback: string;
	/** One letter that stands for it behind a single dash. */
	readonly short?: string;
}

export interface SwitchFlag extends AnyFlag {
	/** On when it is given; takes no value. */
	readonly kind: "switch";
}

export type CommandFlag = NumberFlag | ChoiceFlag | TextFlag | SwitchFlag;
type Flags = Readonly<Record<string, CommandFlag>>;

export interface Command<F extends Flags> {
	/** `npm run scale --`. */
	readonly call: string;
	readonly about: string;
	readonly flags: F;
	/** Flags whose values may also stand alone, in this order. */
	readonly bare?: ReadonlyArray<keyof F & string>;
	/** What any number of further words are, for the usage. Where it is absent, there may be none. */
	readonly words?: string;
}

type ValueOf<F extends CommandFlag> = F extends ChoiceFlag
	? F["of"][number] | F["fallback"]
	: F extends SwitchFlag
		? boolean
		: F extends TextFlag
			? string
			: number;

export type FlagValues<F extends Flags> = { readonly [Name in keyof F]: ValueOf<F[Name]> } & { readonly words: readonly string[] };

export type CommandReading<F extends Flags> =
	| { readonly kind: "values"; readonly values: FlagValues<F> }
	| { readonly kind: "help"; readonly text: string }
	| { readonly kind: "wrong"; readonly text: string };

/** What a command uses of the process that it is. */
export interface CommandHost {
	readonly argv: readonly string[];
	readonly stdout: { write(text: string): unknown };
	readonly stderr: { write(text: string): unknown };
	exit(status: number): never;
}

/** What the process was called with. Ends it with status 0 after the usage, with 2 where the call is wrong. */
export function commandFlags<const F extends Flags>(command: Command<F>, host: CommandHost): FlagValues<F> {
	const reading = readCommand(command, host.argv.slice(2));
	if (reading.kind === "values") return reading.values;
	if (reading.kind === "wrong") return refuseCall(reading.text, host);
	host.stdout.write(`${reading.text}\n`);
	return host.exit(0);
}

/** The end of a command whose call cannot be obeyed. */
export function refuseCall(text: string, host: CommandHost): never {
	host.stderr.write(`${text}\n`);
	return host.exit(2);
}

export function readCommand<const F extends Flags>(command: Command<F>, args: readonly string[]): CommandReading<F> {
	const wrong = (text: string) => ({ kind: "wrong", text: `${text} (${command.call} --help tells what may be said)` }) as const;
	const given = new Map<string, string>();
	const bare = [...(command.bare ?? [])];
	const words: string[] = [];
	const left = [...args];
	let onlyWords = false;
	for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
		if (arg === "--" && !onlyWords) onlyWords = true;
		else if (onlyWords || !/^-./.test(arg)) {
			const name = bare.shift();
			if (name !== undefined) given.set(name, arg);
			else if (command.words !== undefined) words.push(arg);
			else return wrong(`${JSON.stringify(arg)} is one word too many`);
		} else if (arg === "--help" || arg === "-h") return { kind: "help", text: usage(command) };
		else {
			const [, said = "", inline] = /^([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
			const name = nameOf(command.flags, said);
			if (name === null) return wrong(`there is no flag ${said}`);
			const isSwitch = command.flags[name]?.kind === "switch";
			if (isSwitch && inline !== undefined) return wrong(`${said} takes no value`);
			const value = isSwitch ? "" : (inline ?? (/^-./.test(left[0] ?? "") ? undefined : left.shift()));
			if (value === undefined) return wrong(`${said} needs a value`);
			given.set(name, value);
		}
	}
	const values: Record<string, string | number | boolean | readonly string[]> = { words };
	for (const [name, flag] of Object.entries(command.flags)) {
		const text = given.get(name);
		if (flag.kind === "switch") values[name] = text !== undefined;
		else {
			const value = text === undefined ? flag.fallback : readValue(flag, text);
			if (value === null) return wrong(`--${name} takes ${describeValue(flag)}, not ${JSON.stringify(text)}`);
			values[name] = value;
		}
	}
	return { kind: "values", values: values as unknown as FlagValues<F> };
}

/** The number that a flag was given. Throws the sentence that refuses anything else. */
export function wholeNumber(flag: string, text: string, { min, max }: { readonly min: number; readonly max: number }): number {
	const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
	if (value >= min && value <= max) return value;
	throw new Error(`${flag} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}

/** Null: there is none that is called so. */
function nameOf(flags: Flags, said: string): string | null {
	if (said.startsWith("--")) return Object.hasOwn(flags, said.slice(2)) ? said.slice(2) : null;
	return Object.entries(flags).find(([, flag]) => flag.kind === "text" && flag.short === said.slice(1))?.[0] ?? null;
}

/** Null when the flag does not take it. */
function readValue(flag: NumberFlag | ChoiceFlag | TextFlag, text: string): string | number | null {
	if (flag.kind === "choice") return flag.of.includes(text) ? text : null;
	if (flag.kind === "text") return text === "" ? null : text;
	const number = Number(text);
	const most = flag.most ?? Number.MAX_SAFE_INTEGER;
	return /^\d+$/.test(text) && number >= flag.least && number <= most ? number : null;
}

function describeValue(flag: NumberFlag | ChoiceFlag | TextFlag): string {
	if (flag.kind === "choice") return flag.of.join(" or ");
	if (flag.kind === "text") return "some text";
	return `a whole number from ${flag.least} ${flag.most === undefined ? "on" : `to ${flag.most}`}`;
}

function usage<F extends Flags>({ call, about, flags, bare = [], words }: Command<F>): string {
	const alone = [...bare.map((name) => ` [${name}]`), words === undefined ? "" : ` [${words} ...]`].join("");
	const lines = Object.entries(flags).map(([name, flag]) => {
		const short = flag.kind === "text" && flag.short !== undefined ? `, -${flag.short}` : "";
		const value = flag.kind === "switch" || flag.kind === "text" ? "" : `: ${describeValue(flag)}`;
		const otherwise = flag.otherwise ?? (flag.kind === "switch" ? "" : String(flag.fallback));
		return `  --${`${name}${short}`.padEnd(14)} ${flag.about}${value}${otherwise === "" ? "" : ` (${otherwise})`}`;
	});
	const given = lines.length === 0 ? "" : " [--flag value ...]";
	return [`${call}${alone}${given}`, "", about, ...lines].join("\n");
}
