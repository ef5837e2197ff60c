/** How far two programs print the same for the same commands, as a table that a suite prints when it ends. */

/** Commands with a word of their own behind them. */
const FAMILIES: ReadonlySet<string> = new Set(["alarm", "auth", "check", "endpoint", "lease", "member", "role", "snapshot", "user"]);

interface Row {
	calls: number;
	json: number;
	alike: number;
}

export class Agreement {
	private readonly rows = new Map<string, Row>();

	/** Runs `compare`, which throws where the two differ, and counts how it went. */
	judge(args: readonly string[], compare: () => void): void {
		const row = this.rowOf(args);
		row.calls++;
		if (args.some((arg, at) => arg === "json" && args[at - 1] === "-w")) row.json++;
		compare();
		row.alike++;
	}

	/** `| command | calls | as JSON | alike |`, by name, and a sum. */
	lines(title: string): string[] {
		const named = [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1));
		const sum = (of: keyof Row): number => named.reduce((total, [, row]) => total + row[of], 0);
		const line = (name: string, { calls, json, alike }: Row): string =>
			`| ${name.padEnd(24)} | ${String(calls).padStart(5)} | ${String(json).padStart(7)} | ${String(alike).padStart(5)} |`;
		return [
			title,
			`| ${"command".padEnd(24)} | calls | as JSON | alike |`,
			`|${"-".repeat(26)}|-------|---------|-------|`,
			...named.map(([name, row]) => line(name, row)),
			line("all", { calls: sum("calls"), json: sum("json"), alike: sum("alike") }),
		];
	}

	private rowOf([first = "", second = ""]: readonly string[]): Row {
		const name = FAMILIES.has(first) ? `${first} ${second}` : first;
		const row = this.rows.get(name) ?? { calls: 0, json: 0, alike: 0 };
		this.rows.set(name, row);
		return row;
	}
}
