import type { Revision } from "../request.ts";
import { WatcherIndex } from "./watcher-index.ts";

/** Watchers that are behind and stand at the same revision: they read on together. */
export class Cohort {
	readonly index = new WatcherIndex();
	/** The first revision that was not shown to them, or not all of it. */
	next: Revision;
	/** Records of it that were: they are gathered, and told when all of it is. Nobody joins meanwhile. */
	part = 0;

	constructor(next: Revision) {
		this.next = next;
	}

	/** In the middle of a large revision, with something to tell of it. */
	get gathering(): boolean {
		return this.part > 0 && this.index.gatheredBytes > 0;
	}
}
