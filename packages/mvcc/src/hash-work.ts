import { assert } from "@flotilla/base";
import type { Compactor } from "./compactor.ts";
import type { CompactionHash } from "./hash-cache.ts";
import { HashWalk } from "./hash-walk.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Revision } from "./request.ts";
import type { HashResult } from "./result.ts";
import type { Sliced } from "./store-interface.ts";

export interface HashView {
	/** As asked for: 0 is the newest, whose hash is never a remembered one. */
	readonly requested: Revision;
	readonly at: Revision;
	readonly compactRevision: Revision;
	readonly headerRevision: Revision;
}

/** HashKV in slices. A clean-up that was requested before is helped to its end first; a later one waits. */
export class HashWork implements Sliced<HashResult> {
	private readonly index: KeyIndex;
	private readonly compactor: Compactor;
	private readonly view: HashView;
	private release: (() => void) | null;
	private walk: HashWalk | null = null;
	private outcome: HashResult | null = null;

	constructor(index: KeyIndex, compactor: Compactor, view: HashView) {
		this.index = index;
		this.compactor = compactor;
		this.view = view;
		this.release = compactor.pin(view.compactRevision);
	}

	step(budget: number): boolean {
		if (this.outcome !== null || this.release === null) return true;
		const { at, compactRevision, headerRevision, requested } = this.view;
		if (this.compactor.finished < compactRevision) {
			this.compactor.step(budget);
			return false;
		}
		if (this.walk === null) {
			// The clean-up just finished may have left the very hash: then all members answer alike, however far theirs is.
			const remembered = this.compactor.hashes.get(requested);
			if (remembered !== null) return this.end(rememberedResult(remembered, headerRevision));
			this.walk = new HashWalk(this.index, at, compactRevision, false);
		}
		if (this.walk.step(budget) === budget) return false;
		return this.end({ ok: true, hash: this.walk.hash, compactRevision, hashRevision: at, revision: headerRevision });
	}

	result(): HashResult {
		assert(this.outcome !== null, "a hash is asked for its result at its end");
		return this.outcome;
	}

	private end(outcome: HashResult): true {
		this.outcome = outcome;
		this.letGo();
		return true;
	}

	abandon(): void {
		this.letGo();
	}

	private letGo(): void {
		this.release?.();
		this.release = null;
	}
}

export function rememberedResult({ hash, compactRevision, revision }: CompactionHash, headerRevision: Revision): HashResult {
	return { ok: true, hash, compactRevision, hashRevision: revision, revision: headerRevision };
}

/** A result that is there already. */
export function readySliced<T>(value: T): Sliced<T> {
	return { step: () => true, result: () => value, abandon() {} };
}
