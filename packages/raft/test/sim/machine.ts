import { assert } from "@flotilla/base";
import type { ConfState, Entry, LogIndex, Term } from "../../src/index.ts";
import { decodeConfChange, EntryKind } from "../../src/index.ts";
import { confAfter } from "./twin.ts";

/** State after one index: a digest over all that was applied, and the configuration that these entries add up to. */
export interface MachineState {
	readonly index: LogIndex;
	readonly term: Term;
	readonly digest: number;
	readonly conf: ConfState;
}

/** A replicated state machine that is nothing but its history. */
export class Machine {
	state: MachineState;
	private readonly history = new Map<LogIndex, MachineState>();

	constructor(state: MachineState) {
		this.state = state;
		this.history.set(state.index, state);
	}

	apply(entry: Entry): void {
		assert(entry.index === this.state.index + 1, "entries are applied without gaps");
		let digest = Math.imul(this.state.digest ^ entry.index, 0x01000193);
		for (const byte of entry.data) digest = Math.imul(digest ^ byte, 0x01000193);
		const request = entry.kind === EntryKind.config ? decodeConfChange(entry.data) : null;
		const conf = request === null ? this.state.conf : confAfter(this.state.conf, request);
		this.state = { index: entry.index, term: entry.term, digest, conf };
		this.history.set(entry.index, this.state);
	}

	/** As it was after `index`. */
	at(index: LogIndex): MachineState {
		const state = this.history.get(index);
		assert(state !== undefined, "the state of that index must have been passed");
		return state;
	}

	restore(state: MachineState): void {
		this.state = state;
		this.history.set(state.index, state);
	}
}
