/** What the commands beside the member have in common: usage, wrong calls, failures and exit statuses. */
import { print } from "./output.ts";

export interface Subcommand<Values extends { readonly help: boolean }> {
	readonly usage: string;
	/** Throws with the reason when the call cannot be understood. */
	readonly read: (args: readonly string[]) => Values;
	/** Resolves with the exit status; throws with what went wrong. */
	readonly run: (values: Values) => Promise<number>;
}

/** `args`: what follows the command's name. Resolves with the exit status: 1 for a failure, 2 for a wrong call, each with its text. */
export async function runSubcommand<Values extends { readonly help: boolean }>(
	{ usage, read, run }: Subcommand<Values>,
	args: readonly string[],
): Promise<number> {
	let values: Values;
	try {
		values = read(args);
	} catch (error) {
		process.stderr.write(`${(error as Error).message}\n\n${usage}`);
		return 2;
	}
	try {
		if (!values.help) return await run(values);
		print(usage);
		return 0;
	} catch (error) {
		process.stderr.write(`Error: ${(error as Error).message}\n`);
		return 1;
	}
}
