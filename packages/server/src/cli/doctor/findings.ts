/** From what was seen to sentences: what is wrong, by which evidence, what could be lost, and what to do. Pure. */

import type { Finding, Severity } from "./finding.ts";
import { diagnoseFolders } from "./folder-findings.ts";
import { diagnoseLive } from "./live-findings.ts";
import type { Observations } from "./observations.ts";

export interface Diagnosis {
	readonly findings: readonly Finding[];
	/** The data folder that holds the most, where folders were looked at and one can be used. */
	readonly best: string | null;
	/** A majority of the voters cannot be had from what was seen: only a rescue makes them serve again. */
	readonly quorumLost: boolean;
	readonly next: readonly string[];
}

export function diagnose({ members, folders }: Observations): Diagnosis {
	const live = diagnoseLive(members);
	const dead = diagnoseFolders(folders, members);
	return {
		findings: [...live.findings, ...dead.findings],
		best: dead.best,
		quorumLost: dead.quorumLost,
		next: [...live.next, ...dead.next],
	};
}

/** `unknown`: nothing that was looked at is wrong, and not everything could be looked at. */
export function verdictOf({ findings }: Pick<Diagnosis, "findings">): "healthy" | "unknown" | "wrong" {
	const has = (wanted: Severity): boolean => findings.some(({ severity }) => severity === wanted);
	if (has("problem")) return "wrong";
	return has("unseen") ? "unknown" : "healthy";
}
