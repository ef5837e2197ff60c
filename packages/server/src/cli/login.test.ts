import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loginWish, readLogin } from "./login.ts";

const wish = (user?: string, passwordFile?: string, environment: NodeJS.ProcessEnv = {}) =>
	loginWish({ flag: "--user", fileFlag: "--password-file", user, passwordFile, variable: "ETCDCTL_PASSWORD" }, environment);

test.each([
	["the name ends at the first colon", wish("ann:pw:x"), { name: "ann", password: "pw:x" }],
	["a password may be empty", wish("ann:"), { name: "ann", password: "" }],
	["the variable serves a name that comes alone", wish("ann", undefined, { ETCDCTL_PASSWORD: "v" }), { name: "ann", password: "v" }],
	["what the call says goes before the variable", wish("ann:pw", undefined, { ETCDCTL_PASSWORD: "v" }), { name: "ann", password: "pw" }],
	[
		"a file goes before the variable, and the name may have colons",
		wish("a:b", "f", { ETCDCTL_PASSWORD: "v" }),
		{ name: "a:b", passwordFile: "f" },
	],
	["nobody logs in unless one is named", wish(undefined, undefined, { ETCDCTL_PASSWORD: "v" }), undefined],
])("%s", (_, read, wanted) => expect(read).toEqual(wanted));

test("a call that cannot be understood says what is missing", () => {
	expect(() => wish("ann")).toThrow("--user ann needs a password: --password-file FILE, the variable ETCDCTL_PASSWORD, or NAME:PASSWORD");
	expect(() => wish(undefined, "f")).toThrow("--password-file needs --user");
	for (const user of ["", ":pw"]) expect(() => wish(user)).toThrow("--user needs a name");
});

test("the password is the first line of the file", async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-login-"));
	const file = join(folder, "password");
	for (const [text, password] of [
		["pw\n", "pw"],
		["p w:\r\nmore\n", "p w:"],
		["pw", "pw"],
	] as const) {
		await writeFile(file, text);
		expect(await readLogin({ name: "ann", passwordFile: file })).toEqual({ name: "ann", password });
	}
	await rm(folder, { recursive: true });
	await expect(readLogin({ name: "ann", passwordFile: file })).rejects.toThrow("ENOENT");
});
