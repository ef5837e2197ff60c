/** `--auto-compaction-retention`: a number of hours or of revisions, or a duration (etcd API 10.4). */
import type { AutoCompaction } from "../services/auto-compaction.ts";
import { formatGoDuration, parseGoDuration } from "./go-values.ts";
import { bad, good, type Parsed } from "./parsed.ts";

const HOUR_MS = 3_600_000;
const NS_PER_MS = 1_000_000;

/** `mode`: periodic or revision. */
export function parseRetention(mode: string, text: string): Parsed<AutoCompaction> {
	const whole = /^[+]?[0-9]+$/.test(text) ? Number(text) : null;
	if (text === "" || whole === 0) return good({ mode: "off" });
	if (whole !== null && mode === "revision") return good({ mode: "revision", retention: whole });
	const duration = whole === null ? parseGoDuration(text) : good(whole * HOUR_MS);
	if (!duration.ok || duration.value < 0) return bad(`error parsing CompactionRetention: time: invalid duration ${JSON.stringify(text)}`);
	if (duration.value === 0) return good({ mode: "off" });
	// etcd counts a duration in nanoseconds, and takes those for revisions.
	if (mode === "revision") return good({ mode: "revision", retention: duration.value * NS_PER_MS });
	return good({ mode: "periodic", retentionMs: duration.value, shownAs: formatGoDuration(duration.value) });
}
