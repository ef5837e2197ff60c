/** What is known of the members of the local cluster, as text. */

export type LocalRole = "leader" | "follower" | "no leader" | "no answer" | "starting" | "down";

export interface LocalRow {
	readonly name: string;
	/** Hexadecimal; empty until the member has told it. */
	readonly id: string;
	readonly endpoint: string;
	readonly role: LocalRole;
	/** 0: unknown. */
	readonly term: number;
	readonly revision: number;
}

const HEAD = ["NAME", "ID", "ENDPOINT", "ROLE", "TERM", "REVISION"];

/** A heading and a line for each member. */
export function tableLines(rows: readonly LocalRow[]): string[] {
	const cells = [HEAD, ...rows.map(cellsOf)];
	const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => (row[column] as string).length)));
	return cells.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join("  ")}`.trimEnd());
}

function cellsOf({ name, id, endpoint, role, term, revision }: LocalRow): string[] {
	const numbers = answers(role) ? [String(term), String(revision)] : ["-", "-"];
	return [name, id || "-", endpoint, role, ...numbers];
}

/** One line for each member whose role or term changed; none for what merely counts on. */
export function changeLines(before: readonly LocalRow[], after: readonly LocalRow[]): string[] {
	return after
		.filter((row, at) => row.role !== before[at]?.role || (answers(row.role) && row.term !== before[at]?.term))
		.map(({ name, role, term, revision }) => (answers(role) ? `${name}: ${role}, term ${term}, revision ${revision}` : `${name}: ${role}`));
}

/** Only such a member tells its term and revision. */
function answers(role: LocalRole): boolean {
	return role === "leader" || role === "follower" || role === "no leader";
}
