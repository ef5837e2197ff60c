/** The faults in words: what `--list` prints and docs/chaos.md holds. */
import { allowedBy, type Detail, standardOf } from "./details.ts";
import type { Fault } from "./fault.ts";

/** What each of its lines may say besides at, every and for. */
export function takesOf({ details, lasts }: Fault): string[] {
	const lines = Object.entries(details).map(([name, detail]) => `${name} (${standardIn(detail)})${valuesIn(detail)}`);
	return lasts ? lines : [...lines, "no for: it is over at once"];
}

/** A table of Markdown. */
export function faultTable(faults: ReadonlyMap<string, Fault>): string {
	const rows = [...faults].map(([name, fault]) => {
		const takes = takesOf(fault).map((line) => line.replace(/^(no )?(\w+)/, "$1`$2`"));
		const needs = [...(fault.needs ?? []), ...(fault.programs === undefined ? [] : [`${fault.programs.join(", ")} only`])];
		return [`\`${name}\``, fault.about, takes.join("<br>"), needs.join(", ")];
	});
	const head = ["fault", "what it does", "what a line may say (unless it does)", "needs"];
	return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function standardIn(detail: Detail): string {
	return String(standardOf(detail) ?? "must be given");
}

/** Of whom a line may name, and of true and false, all lines are alike. */
function valuesIn(detail: Detail): string {
	return detail.kind === "who" || detail.kind === "flag" ? "" : `: ${allowedBy(detail, "m9")}`;
}
