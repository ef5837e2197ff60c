/** One sentence of the doctor, and the words that sentences share. */

export type Severity = "ok" | "note" | "unseen" | "problem";

/** What there is advice for. */
export type Trouble = "silent" | "shut" | "noMajority" | "noSpace" | "differs" | "neverStarted";

export interface Finding {
	readonly severity: Severity;
	readonly text: string;
	readonly trouble?: Trouble;
}

export const ok = (text: string): Finding => ({ severity: "ok", text });
export const note = (text: string): Finding => ({ severity: "note", text });
/** What could not be looked at, and why. */
export const unseen = (text: string): Finding => ({ severity: "unseen", text });
export const problem = (text: string, trouble?: Trouble): Finding => ({ severity: "problem", text, ...(trouble ? { trouble } : {}) });

export function majorityOf(voters: number): number {
	return Math.floor(voters / 2) + 1;
}

/** `a, b and c` */
export function enumerate(names: readonly string[]): string {
	return names.length < 2 ? (names[0] ?? "nobody") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
