/** What etcd has behind gates, as this member was told to have it: for `etcd_server_feature_enabled` (etcd API 12.4). */
import { FEATURE_GATES } from "./flag-table.ts";

export interface Feature {
	readonly name: string;
	readonly stage: "ALPHA" | "BETA";
	readonly on: boolean;
}

const BETA: ReadonlySet<string> = new Set(["AllBeta", "TxnModeWriteWithSharedBuffer"]);

/** `given`: what `--feature-gates` says. A gate that is not named follows the one that stands for all of its stage. */
export function featuresOf(given: Readonly<Record<string, boolean>>): Feature[] {
	return Object.entries(FEATURE_GATES).map(([name, { standard }]) => {
		const stage = BETA.has(name) ? "BETA" : "ALPHA";
		const all = given[stage === "BETA" ? "AllBeta" : "AllAlpha"];
		return { name, stage, on: given[name] ?? all ?? standard };
	});
}
