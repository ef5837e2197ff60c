/** A watcher under a steady load of numbered puts, and what it must have heard by a revision. */
import type { ClientHttp2Session } from "node:http2";
import { RawWatch } from "../client/raw-watch.ts";

/** Puts go to so many keys in turn. */
export const KEYS = 100;
export const ONE_KEY = "w/00";
const STAMP_BYTES = 8;

export function keyOf(n: number): Buffer {
	return Buffer.from(`w/${String(n % KEYS).padStart(2, "0")}`);
}

/** Its number, and when it was made. */
export function stampedValue(n: number, bytes: number): Buffer {
	const value = Buffer.alloc(bytes);
	value.writeDoubleBE(performance.now(), 0);
	value.writeUInt32BE(n, STAMP_BYTES);
	return value;
}

/** Over the revisions and numbers of puts in the order in which they were heard: one that lacks, repeats or swaps any differs. */
function mixed(sum: number, revision: number, n: number): number {
	return Math.imul(sum ^ Math.imul(revision, 0x9e37_79b1), 0x85eb_ca6b) ^ n;
}

/** What those that read heard, by revision: for watchers of everything, and of one key. */
export class Truth {
	private readonly wide = new Map<number, number>();
	private readonly narrow: number[] = [];
	private readonly narrowSums: number[] = [0];
	private sum = 0;
	revision = 0;

	note(revision: number, n: number): void {
		this.sum = mixed(this.sum, revision, n);
		this.wide.set(revision, this.sum);
		this.revision = revision;
		if (n % KEYS !== 0) return;
		this.narrow.push(revision);
		this.narrowSums.push(mixed(this.narrowSums.at(-1) as number, revision, n));
	}

	/** Up to a revision that it has heard an event of. */
	sumAt(revision: number, narrow: boolean): number | undefined {
		if (!narrow) return this.wide.get(revision);
		const at = this.narrow.indexOf(revision);
		return at < 0 ? undefined : this.narrowSums[at + 1];
	}

	/** Of the last put of the one key. */
	get lastNarrow(): number {
		return this.narrow.at(-1) ?? 0;
	}
}

export class Listener {
	readonly watch: RawWatch;
	/** Of one key; otherwise it hears every revision. */
	readonly narrow: boolean;
	/** Revision of the last event, or of the created response. */
	heard = 0;
	events = 0;
	compactRevision = 0;
	private sum = 0;
	private afterEnd = 0;

	constructor(session: ClientHttp2Session, narrow: boolean, heard: (revision: number, n: number, stampMs: number) => void) {
		this.narrow = narrow;
		this.watch = new RawWatch(session, {
			prefix: narrow ? ONE_KEY : "w/",
			onEvent: (revision, bytes, at) => {
				if (this.compactRevision > 0) this.afterEnd++;
				const n = bytes.readUInt32BE(at + STAMP_BYTES);
				this.heard = revision;
				this.events++;
				this.sum = mixed(this.sum, revision, n);
				heard(revision, n, bytes.readDoubleBE(at));
			},
			onCanceled: (compactRevision) => {
				this.compactRevision = compactRevision;
			},
		});
	}

	/** Null, or in what it differs from the truth. */
	fault(truth: Truth): string | null {
		const who = this.narrow ? "a watcher of one key" : "a watcher";
		if (this.afterEnd > 0) return `${who} heard ${this.afterEnd} events after its end`;
		if (this.events === 0) return null;
		return this.sum === truth.sumAt(this.heard, this.narrow) ? null : `${who} heard something else than others up to ${this.heard}`;
	}
}
