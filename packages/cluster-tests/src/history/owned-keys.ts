/**
 * Keys that belong to a lease each and that only its holder writes: those of leases and of locks. Nobody else vouches for what happens to
 * them, so every change must be accounted for here: a put is one that its holder asked for, and once; a deletion is the end of its
 * lease, or what its holder asked for, once, with all that was there, and not before the time.
 */
import type { Change } from "./operation.ts";
import type { RevisionTimes } from "./revision-times.ts";

export interface OwnedPut {
	readonly key: string;
	readonly value: string;
	readonly invoked: number;
	/** What it was told; null: nothing, and it may have happened. Those that were refused are none. */
	readonly revision: number | null;
}

/** A time for which a lease was given: asked for when, for how many seconds. */
export interface LeaseSpan {
	readonly invoked: number;
	readonly ttl: number;
}

export interface Owner {
	readonly name: string;
	readonly puts: readonly OwnedPut[];
	readonly spans: readonly LeaseSpan[];
	/** From then on its keys may go before their time; infinite: its holder never let go. */
	readonly letGoFrom: number;
	/** When somebody asked last and was told that it is there; 0: never. */
	readonly aliveAt: number;
}

export interface OwnedBreach {
	readonly check: "phantom" | "lost" | "realTime" | "whole" | "early" | "outlived";
	readonly text: string;
}

/** Seconds to microseconds, shorter by what a leader's clock may run too fast (per mille) and by a few ticks. */
const DRIFT_PER_MILLE = 110;
const TICKS_US = 50_000;

/** The soonest moment at which a lease may end that was given this span. Times are microseconds. */
export function soonestEnd({ invoked, ttl }: LeaseSpan): number {
	return invoked + (ttl * 1_000_000 * 1_000) / (1_000 + DRIFT_PER_MILLE) - TICKS_US;
}

/** `prefix`: of all keys of these owners, and of no others. Where `changes` lacks revisions, findings may come of that. */
export function* checkOwned(
	prefix: string,
	owners: readonly Owner[],
	changes: ReadonlyMap<number, readonly Change[]>,
	finalRevision: number,
	times: RevisionTimes,
): Generator<OwnedBreach> {
	const books = new Map<string, Book>();
	const all = owners.map((owner) => new Book(owner, times));
	for (const book of all) for (const { key } of book.owner.puts) books.set(key, book);
	for (const revision of [...changes.keys()].sort((a, b) => a - b)) {
		const group = changes.get(revision) as readonly Change[];
		const first = group.find(({ key }) => key.startsWith(prefix));
		if (first === undefined) continue;
		const book = books.get(first.key);
		if (book === undefined) yield { check: "phantom", text: `revision ${revision} changed ${describe(group)}, and nobody has such a key` };
		else yield* first.value === null ? book.delete(revision, group) : book.put(revision, first.key, first.value, group);
	}
	for (const book of all) yield* book.lost(changes, finalRevision);
}

/** What became of the keys of one owner, revision by revision. */
class Book {
	readonly owner: Owner;
	private readonly times: RevisionTimes;
	private readonly open: Set<OwnedPut>;
	private readonly present = new Set<string>();
	/** Revision at which its keys went; 0: not yet. */
	private ended = 0;

	constructor(owner: Owner, times: RevisionTimes) {
		this.owner = owner;
		this.times = times;
		this.open = new Set(owner.puts);
	}

	*put(revision: number, key: string, value: string, group: readonly Change[]): Generator<OwnedBreach> {
		const text = `revision ${revision} changed ${describe(group)}`;
		const fitting = [...this.open].filter((put) => put.key === key && put.value === value);
		const asked = fitting.find((put) => put.revision === revision) ?? fitting.find((put) => put.revision === null);
		if (asked === undefined || group.length > 1) {
			yield { check: "phantom", text: `${text}, and ${this.owner.name} did not ask for that${fitting.length === 0 ? " once more" : ""}` };
			return;
		}
		this.open.delete(asked);
		this.present.add(key);
		const told = this.times.toldBefore(asked.invoked);
		if (told >= revision) yield { check: "realTime", text: `${text}, and ${told} had been told before ${this.owner.name} asked for that` };
		if (this.ended > 0) yield { check: "outlived", text: `${text}, and the keys of ${this.owner.name} had gone at ${this.ended}` };
	}

	*delete(revision: number, group: readonly Change[]): Generator<OwnedBreach> {
		const { aliveAt, letGoFrom, name, spans } = this.owner;
		const text = `revision ${revision} changed ${describe(group)}`;
		const due = [...this.present].sort();
		if (group.length !== due.length || group.some(({ key, value }, at) => value !== null || key !== due[at])) {
			yield { check: "whole", text: `${text}; of ${name} ${due.join(", ") || "nothing"} was there, to go at once` };
		}
		this.present.clear();
		this.ended = revision;
		const goneAt = this.times.thereFrom(revision);
		const span = spans.find((one) => one.ttl > 0 && goneAt < soonestEnd(one));
		if (span !== undefined && goneAt < letGoFrom) {
			yield { check: "early", text: `${text} by ${goneAt}, and ${name} was given ${JSON.stringify(span)}` };
		}
		if (aliveAt > goneAt) yield { check: "outlived", text: `${text} by ${goneAt}, and ${name} was said to be there at ${aliveAt}` };
	}

	/** What was acknowledged and is nowhere. A revision that nobody saw may be it. */
	*lost(changes: ReadonlyMap<number, readonly Change[]>, finalRevision: number): Generator<OwnedBreach> {
		for (const { key, revision } of this.open) {
			if (revision === null || (revision <= finalRevision && !changes.has(revision))) continue;
			const is = revision > finalRevision ? "never was" : `changed ${describe(changes.get(revision) ?? [])}`;
			yield { check: "lost", text: `${this.owner.name} was told that revision ${revision} put ${key}, and that revision ${is}` };
		}
	}
}

function describe(changes: readonly Change[]): string {
	return changes.map(({ key, value }) => `${key}=${value ?? "(deleted)"}`).join(", ");
}
