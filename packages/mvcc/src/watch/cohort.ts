import type { Revision } from "../request.ts";
import { WatcherIndex } from "./watcher-index.ts";

/** Watchers that are behind and stand at the same revision: they read on together. */
export class Cohort {
	readonly index = new WatcherIndex();
	/** The first revision that was not shown to them. */
	next: Revision;

	constructor(next: Revision) {
		this.next = next;
	}
}
