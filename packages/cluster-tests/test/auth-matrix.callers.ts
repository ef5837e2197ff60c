/** Who calls in the matrix, by token or by certificate, and what each is to hear. */
import { FAULTS, type FaultCode } from "@flotilla/api";
import type { CallerRights, Case } from "./auth-matrix.rows.ts";

/**
 * `none`: shows nothing. `invalid`: a token that is no good. `unknown`: a good credential of somebody who is not there. `old`: a token
 * that was signed before the last change of users.
 */
type Standing = "none" | "invalid" | "unknown" | "old" | "known";

export interface MatrixCaller extends CallerRights {
	readonly name: string;
	readonly standing: Standing;
	/** By whose certificate it comes, where that is asked for. */
	readonly certificate: string;
	/** By which name its token is known; empty: it shows none. */
	readonly token: string;
}

const NOBODY = { user: "", root: false, read: false, write: false } as const;
const RIGHTS: Readonly<Record<string, CallerRights>> = {
	idle: { ...NOBODY, user: "idle" },
	reader: { ...NOBODY, user: "reader", read: true },
	writer: { ...NOBODY, user: "writer", write: true },
	both: { user: "both", root: false, read: true, write: true },
	root: { user: "root", root: true, read: true, write: true },
	operator: { user: "operator", root: true, read: true, write: true },
};
/** Its certificate names nobody. */
export const BARE = "bare";

function byToken(name: string, standing: Standing, user = ""): MatrixCaller {
	return { ...(RIGHTS[user] ?? NOBODY), name, standing, certificate: BARE, token: standing === "none" ? "" : name };
}

function byName(user: string, standing: Standing = "known"): MatrixCaller {
	return { ...(RIGHTS[user] ?? NOBODY), name: `${user}, by certificate`, standing, certificate: user, token: "" };
}

const known = (user: string): MatrixCaller => byToken(user, "known", user);

export const BY_SIMPLE_TOKEN: readonly MatrixCaller[] = [
	byToken("none", "none"),
	byToken("garbage", "invalid"),
	byToken("deleted", "invalid"),
	...["idle", "reader", "writer", "both", "root", "operator"].map(known),
];

export const BY_JWT: readonly MatrixCaller[] = [
	byToken("none", "none"),
	byToken("forged", "invalid"),
	byToken("expired", "invalid"),
	byToken("unsigned", "invalid"),
	byToken("stranger", "unknown"),
	byToken("of before", "old", "both"),
	...["idle", "reader", "both", "root"].map(known),
];

export const BY_CERTIFICATE: readonly MatrixCaller[] = [
	byToken("none", "none"),
	byName("stranger", "unknown"),
	...["idle", "reader", "writer", "both", "root"].map((user) => byName(user)),
	// A token counts before the certificate that it comes with.
	{ ...known("reader"), name: "reader, by token, with root's certificate", certificate: "root" },
	{ ...byToken("garbage", "invalid"), name: "garbage, with root's certificate", certificate: "root" },
	{ ...known("root"), name: "root, by token" },
];

export const LET_IN = "came in";
/** What the gateway tells whoever shows a certificate with a name. */
export const NAME_IGNORED = "CommonName of client sending a request against gateway will be ignored and not used as expected";

export function expectedFor(caller: MatrixCaller, { need, namesNobody }: Case): string {
	if (need === "open") return LET_IN;
	switch (caller.standing) {
		case "none":
			return need === "nothing" ? LET_IN : FAULTS.userEmpty.text;
		case "invalid":
			return FAULTS.invalidAuthToken.text;
		case "unknown":
			if (need === "nothing" || need === "user") return LET_IN;
			if (namesNobody === true) return LET_IN;
			return need === "root" || typeof need === "function" ? FAULTS.userNotFound.text : FAULTS.permissionDenied.text;
		case "old":
			// Administration does not ask how old a token is.
			if (!isAboutKeys(need)) return isEnough(caller, need) ? LET_IN : FAULTS.permissionDenied.text;
			return FAULTS.authOldRevision.text;
		case "known":
			return isEnough(caller, need) ? LET_IN : FAULTS.permissionDenied.text;
	}
}

function isAboutKeys(need: Case["need"]): boolean {
	return need === "read" || need === "write" || need === "readAndWrite" || need === "otherKeys";
}

function isEnough(caller: CallerRights, need: Exclude<Case["need"], "open">): boolean {
	if (typeof need === "function") return need(caller);
	if (caller.root || need === "user" || need === "nothing") return true;
	if (need === "root" || need === "otherKeys") return false;
	return (need === "write" || caller.read) && (need === "read" || caller.write);
}

/** What is about the caller; everything else came past the door. */
const ABOUT_CALLERS: readonly FaultCode[] = ["userEmpty", "invalidAuthToken", "permissionDenied", "authOldRevision", "userNotFound"];

/** What became of a call, seen from its refusal; empty where there was none. */
export function verdictOf(text: string, { namesNobody }: Case): string {
	if (text === "silence") return text;
	// No row asks for this: a call that nobody serves would otherwise pass for one that lets everybody in.
	if (text.includes("is not implemented in this version")) return "not served";
	if (text.includes(NAME_IGNORED)) return NAME_IGNORED;
	const about = ABOUT_CALLERS.map((code) => FAULTS[code].text).find((fault) => text.includes(fault));
	return about === undefined || (namesNobody === true && about === FAULTS.userNotFound.text) ? LET_IN : about;
}
