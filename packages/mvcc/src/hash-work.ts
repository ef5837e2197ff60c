import { assert } from "@flotilla/base";
import type { Compactor } from "./compactor.ts";
import { HashWalk } from "./hash-walk.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Revision } from "./request.ts";
import type { HashResult } from "./result.ts";
import type { Sliced } from "./store-interface.ts";

export interface HashView {
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
	private hash: number | null = null;

	constructor(index: KeyIndex, compactor: Compactor, view: HashView) {
		this.index = index;
		this.compactor = compactor;
		this.view = view;
		this.release = compactor.pin(view.compactRevision);
	}

	step(budget: number): boolean {
		if (this.hash !== null || this.release === null) return true;
		const { at, compactRevision } = this.view;
		if (this.compactor.finished < compactRevision) {
			this.compactor.step(budget);
			return false;
		}
		this.walk ??= new HashWalk(this.index, at, compactRevision, false);
		if (this.walk.step(budget) === budget) return false;
		this.hash = this.walk.hash;
		this.letGo();
		return true;
	}

	result(): HashResult {
		assert(this.hash !== null, "a hash is asked for its result at its end");
		const { at, compactRevision, headerRevision } = this.view;
		return { ok: true, hash: this.hash, compactRevision, hashRevision: at, revision: headerRevision };
	}

	abandon(): void {
		this.letGo();
	}

	private letGo(): void {
		this.release?.();
		this.release = null;
	}
}

/** A result that is there already. */
export function readySliced<T>(value: T): Sliced<T> {
	return { step: () => true, result: () => value, abandon() {} };
}
