import { type AddressRecord, sameAddresses } from "./addresses.ts";

export interface AddressWorld {
	/** Replaces the file durably; `done` in a later turn. */
	write(record: AddressRecord, done: (error: string | null) => void): void;
	/** Something was written: whoever waits may ask again. */
	written(): void;
	/** The disk failed: the process must end. */
	failed(reason: string): void;
}

/**
 * Keeps the file of addresses (`addresses.ts`) as new as a running member's log begins: before the log is cut behind a floor, and
 * before a state that is received takes its place, the members as of then are asked for here, and whoever asks waits until they are
 * noted. One write at a time; what changed meanwhile goes with the next one.
 */
export class AddressNotes {
	private readonly world: AddressWorld;
	private held: AddressRecord;
	private wanted: AddressRecord | null = null;
	/** What goes on once its record is noted. A newer one takes its place. */
	private awaited: { readonly record: AddressRecord; readonly goOn: () => void } | null = null;
	private writing = false;

	/** `held`: what the file says. */
	constructor(held: AddressRecord, world: AddressWorld) {
		this.held = held;
		this.world = world;
	}

	/** True when the file says so, or what was so later; else it will. */
	note(record: AddressRecord): boolean {
		const { held, wanted } = this;
		if (record.members.length === 0 || record.index <= held.index || sameAddresses(record, held)) return true;
		if (wanted === null || record.index > wanted.index) this.wanted = record;
		this.writeNext();
		return false;
	}

	/** Goes on when the file says so, or what was so later: at once, or in a later turn, unless it is asked to wait for a newer one by then. */
	noteThen(record: AddressRecord, goOn: () => void): void {
		this.awaited = null;
		if (this.note(record)) goOn();
		else this.awaited = { record, goOn };
	}

	private writeNext(): void {
		const { wanted } = this;
		if (this.writing || wanted === null) return;
		this.writing = true;
		this.world.write(wanted, (error) => {
			this.writing = false;
			if (error !== null) {
				this.world.failed(`Cannot write the file of addresses: ${error}. Free or replace the disk, then start again.`);
				return;
			}
			this.held = wanted;
			if (this.wanted === wanted) this.wanted = null;
			this.writeNext();
			this.world.written();
			const { awaited } = this;
			if (awaited !== null) this.noteThen(awaited.record, awaited.goOn);
		});
	}
}
