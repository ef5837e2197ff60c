/** One run after another: all that are shipped, or one with each adapter; and one verdict over them. */
import type { Judgement } from "./judge.ts";
import type { Scenario } from "./scenario.ts";

export const ADAPTERS = ["native", "grpc-js"] as const;
export type Adapter = (typeof ADAPTERS)[number];

export interface PlannedRun {
	/** As the call names it: one that is shipped, or a file. */
	readonly source: string;
	readonly scenario: Scenario;
	/** Null: as the member has it by itself. */
	readonly adapter: Adapter | null;
	/** In its short form. */
	readonly short: boolean;
}

export interface RunEnd {
	readonly run: PlannedRun;
	/** Null: it was not made. */
	readonly verdict: Judgement["verdict"] | null;
	/** What else there is to say of it. */
	readonly note: string;
}

export function adaptersOf(text: string | undefined, program: "flotilla" | "etcd"): ReadonlyArray<Adapter | null> {
	if (text === undefined) return [null];
	const chosen = text === "both" ? ADAPTERS : ADAPTERS.filter((name) => name === text);
	if (chosen.length === 0) throw new Error(`--grpc-server is native, grpc-js or both, not ${text}`);
	if (program === "etcd") throw new Error("--grpc-server is a choice of flotilla's");
	return chosen;
}

export function labelOf({ scenario, adapter }: PlannedRun): string {
	return adapter === null ? scenario.name : `${scenario.name}-${adapter}`;
}

/** The worst one; of runs none of which was made nobody can tell. */
export function verdictOver(ends: readonly RunEnd[]): Judgement["verdict"] {
	const verdicts = ends.flatMap(({ verdict }) => verdict ?? []);
	const worst = (["violated", "unknown"] as const).find((verdict) => verdicts.includes(verdict));
	return worst ?? (verdicts.length > 0 ? "ok" : "unknown");
}

export function tableOf(ends: readonly RunEnd[]): string[] {
	return ends.map(({ run, verdict, note }) => `${(verdict ?? "left out").padEnd(10)}${labelOf(run)}${note === "" ? "" : `: ${note}`}`);
}
