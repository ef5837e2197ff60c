import type { Pair } from "../history/operation.ts";

/** A state as text, a line for each pair, in the order of the keys: what a member holds, and what its changes lead to. */
export function contentsOf(pairs: readonly Pair[]): string {
	return pairs.map(({ key, value, create, mod, version }) => `${key}=${value}@${create}/${mod}/${version}`).join("\n");
}
