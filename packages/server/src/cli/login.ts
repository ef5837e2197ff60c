/** Whom a tool of the command line logs in as. A password need not stand among the arguments, which every process of the machine can read. */
import { readFile } from "node:fs/promises";

export interface Login {
	readonly name: string;
	readonly password: string;
}

/** What the call and the environment say; a file is yet to be read. */
export type LoginWish = Login | { readonly name: string; readonly passwordFile: string };

export interface LoginFlags {
	/** The flag that names the user, and the one that names the file, for texts. */
	readonly flag: string;
	readonly fileFlag: string;
	/** `NAME:PASSWORD`, or `NAME` where the password stands elsewhere. */
	readonly user: string | undefined;
	readonly passwordFile: string | undefined;
	/** Of the environment: what it holds is used for a user that is named without a password. */
	readonly variable: string;
}

/**
 * With a file the whole of `user` is the name; else a colon in it ends the name. Throws with the reason when the call cannot
 * be understood.
 */
export function loginWish(
	{ flag, fileFlag, user, passwordFile, variable }: LoginFlags,
	environment: NodeJS.ProcessEnv,
): LoginWish | undefined {
	if (user === undefined) {
		if (passwordFile !== undefined) throw new Error(`${fileFlag} needs ${flag}`);
		return undefined;
	}
	const colon = user.indexOf(":");
	if (user === "" || colon === 0) throw new Error(`${flag} needs a name`);
	if (passwordFile !== undefined) return { name: user, passwordFile };
	if (colon > 0) return { name: user.slice(0, colon), password: user.slice(colon + 1) };
	const password = environment[variable];
	if (password === undefined) {
		throw new Error(`${flag} ${user} needs a password: ${fileFlag} FILE, the variable ${variable}, or NAME:PASSWORD`);
	}
	return { name: user, password };
}

/** The password is the first line of its file. */
export async function readLogin(wish: LoginWish | undefined): Promise<Login | undefined> {
	if (wish === undefined || "password" in wish) return wish;
	const [line = ""] = (await readFile(wish.passwordFile, "utf8")).split(/\r?\n/, 1);
	return { name: wish.name, password: line };
}
