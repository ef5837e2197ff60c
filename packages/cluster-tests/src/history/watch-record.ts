/** What the clients of watch streams asked and were told, in order. Keys and values are plain texts (one character a byte), ids too. */
import type { Pair } from "./operation.ts";

export interface WatchAsk {
	readonly key: string;
	/** Empty: the single key. "\0": from the key on. Otherwise excluded. */
	readonly end: string;
	/** 0: what comes after now. */
	readonly start: number;
	/** "0": chosen by the member. */
	readonly id: string;
	readonly prevKv: boolean;
	readonly noPut: boolean;
	readonly noDelete: boolean;
	readonly fragment: boolean;
	readonly progressNotify: boolean;
}

export interface HeardEvent {
	readonly type: "put" | "delete";
	readonly key: string;
	readonly mod: number;
	/** Of a put. */
	readonly pair: Pair | null;
	readonly previous: Pair | null;
}

export interface WatchAnswer {
	readonly id: string;
	/** Of the header. */
	readonly revision: number;
	readonly created: boolean;
	readonly canceled: boolean;
	readonly compactRevision: number;
	readonly reason: string;
	readonly fragment: boolean;
	readonly events: readonly HeardEvent[];
}

export type StreamEntry =
	| { readonly kind: "create"; readonly at: number; readonly ask: WatchAsk }
	| { readonly kind: "cancel"; readonly at: number; readonly id: string }
	| { readonly kind: "progress"; readonly at: number }
	| { readonly kind: "answer"; readonly at: number; readonly answer: WatchAnswer };

/** One stream from its opening to its end. */
export interface StreamRecord {
	readonly name: string;
	readonly member: string;
	readonly entries: StreamEntry[];
	/** When it ended; null: it was still open when the recording ended, and all that was told had been read. */
	endedAt: number | null;
}

/** What one watcher asked and was told, taken out of its stream. */
export interface WatcherRecord {
	readonly stream: StreamRecord;
	readonly ask: WatchAsk;
	/** Empty until it was created. */
	readonly id: string;
	/** Answers for it and, for progress, for the whole stream; those before its creation are not among them. */
	readonly answers: readonly WatchAnswer[];
	/** The client gave it up. */
	readonly givenUp: boolean;
}

export const STREAM_ID = "-1";

export function isProgress({ events, created, canceled, compactRevision }: WatchAnswer): boolean {
	return events.length === 0 && !created && !canceled && compactRevision === 0;
}

/** Matches answers with requests as clients do: created responses come in the order of the requests. */
export function watchersOf(stream: StreamRecord): { readonly watchers: readonly WatcherRecord[]; readonly faults: readonly string[] } {
	const faults: string[] = [];
	const asked: WatchAsk[] = [];
	const live = new Map<string, OpenWatcher>();
	const all: OpenWatcher[] = [];
	for (const entry of stream.entries) {
		if (entry.kind === "create") asked.push(entry.ask);
		else if (entry.kind === "cancel") {
			const watcher = live.get(entry.id);
			if (watcher !== undefined) watcher.givenUp = true;
		} else if (entry.kind === "answer") {
			take(entry.answer);
		}
	}
	for (const ask of asked) all.push({ stream, ask, id: "", answers: [], givenUp: false });
	return { watchers: all, faults };

	function take(answer: WatchAnswer): void {
		if (answer.created) {
			const ask = asked.shift();
			if (ask === undefined) faults.push(`created ${answer.id} without a request`);
			else create(answer, ask);
			return;
		}
		if (answer.id === STREAM_ID && isProgress(answer)) {
			for (const watcher of live.values()) if (!watcher.answers.some(({ canceled }) => canceled)) watcher.answers.push(answer);
			return;
		}
		const watcher = live.get(answer.id);
		if (watcher === undefined) {
			faults.push(`an answer for ${answer.id}, which is not there: ${JSON.stringify(answer)}`);
			return;
		}
		watcher.answers.push(answer);
		// A compaction ends the watcher, and its id stays taken until the client gives it up.
		if (answer.canceled && answer.compactRevision === 0) live.delete(answer.id);
	}

	function create(answer: WatchAnswer, ask: WatchAsk): void {
		const watcher: OpenWatcher = { stream, ask, id: answer.id, answers: [answer], givenUp: false };
		all.push(watcher);
		if (answer.canceled) return;
		if (live.has(answer.id)) faults.push(`id ${answer.id} was given twice`);
		if (ask.id !== "0" && ask.id !== answer.id) faults.push(`id ${answer.id} was given instead of ${ask.id}`);
		live.set(answer.id, watcher);
	}
}

type OpenWatcher = {
	-readonly [K in keyof WatcherRecord]: K extends "answers" ? WatchAnswer[] : WatcherRecord[K];
};
