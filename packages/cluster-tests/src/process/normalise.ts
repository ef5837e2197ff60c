/** Makes the answers of two different clusters comparable: what must differ is masked, everything else is kept to the letter. */

const MASKED_FIELDS = new Set([
	"cluster_id",
	"member_id",
	"raft_term",
	"raftTerm",
	"ID",
	"leader",
	"raftIndex",
	"raftAppliedIndex",
	"dbSize",
	"dbSizeInUse",
	"version",
]);

/** Text output: ids, ports, sizes and times become placeholders. */
export function normaliseText(text: string): string {
	return (
		text
			.replace(/127\.0\.0\.1:\d+/g, "<address>")
			// Cells of a table are centred: an id of 15 digits moves by a blank.
			.replace(/\|\s*\b[0-9a-f]{14,16}\b\s*\|/g, "| <id> |")
			.replace(/\b[0-9a-f]{14,16}\b/g, "<id>")
			.replace(/\b\d{16,20}\b/g, "<id>")
			.replace(/("RaftTerm" : |"raft_term":)\d+/g, "$1<term>")
			.replace(/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, "<time>")
			.replace(/\b\d+(\.\d+)? [kM]?B\b/g, "<size>")
	);
}

/** JSON output, one document or one a line. Other text is returned as text. */
export function normaliseOutput(text: string): string {
	const lines = text.trimEnd().split("\n");
	try {
		return lines.map((line) => JSON.stringify(mask(JSON.parse(quoteLargeNumbers(line)), ""))).join("\n");
	} catch {
		return normaliseText(text);
	}
}

/** Ids of 64 bits would lose digits as numbers. */
export function quoteLargeNumbers(json: string): string {
	return json.replace(/([[:,])(-?\d{16,})(?=[,}\]])/g, '$1"$2"');
}

/** For listings whose order is that of the ids. */
export function sortLines(text: string): string {
	return text.split("\n").sort().join("\n");
}

function byText(a: unknown, b: unknown): number {
	return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

function mask(value: unknown, field: string): unknown {
	if (MASKED_FIELDS.has(field)) return `<${field}>`;
	// What is left of a lease falls with each second; whether anything is left does not.
	if (field === "ttl" && typeof value === "number" && value > 0) return "<ttl>";
	// Members are listed in the order of their ids, which no two clusters share.
	if (field === "members" && Array.isArray(value)) return value.map((item) => mask(item, "")).sort(byText);
	if (Array.isArray(value)) return value.map((item) => mask(item, field));
	if (typeof value === "object" && value !== null) {
		return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mask(inner, key)]));
	}
	return typeof value === "string" ? normaliseText(value) : value;
}
