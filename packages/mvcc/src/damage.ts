import { describeRecordKey } from "./record-key.ts";

/**
 * A stored record is missing or differs from what was written. A damaged store must never answer wrongly: whoever catches
 * this ends the process.
 */
export class StoreDamageError extends Error {
	override readonly name = "StoreDamageError";
	/** The record's revision as `main_sub`, with a `t` for a tombstone. */
	readonly recordKey: string;
	readonly what: "missing" | "checksum" | "content";

	constructor(main: number, sub: number, tombstone: boolean, what: StoreDamageError["what"]) {
		const recordKey = describeRecordKey(main, sub, tombstone);
		super(`store record ${recordKey} is damaged: ${what}`);
		this.recordKey = recordKey;
		this.what = what;
	}
}
