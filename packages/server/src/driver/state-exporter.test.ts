import { Dice } from "@flotilla/base";
import { decodeRecordKey } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import type { StateExport, StatePart } from "../services/member-port.ts";
import { Machine, testConfig } from "./boot.suite.ts";
import { decodeFloor } from "./floor-record.ts";
import { decodeRecords } from "./snapshot-codec.ts";
import { IMAGE_HEAD_BYTES, readImageEnd, readSectionHead, SECTION_HEAD_BYTES, SectionKind } from "./snapshot-image.ts";

/** Floors after a few writes. */
const FLOORS = testConfig({ floorBytes: 1_000, snapshotCount: 5 });
const KEYS = Array.from({ length: 30 }, (_, at) => `key ${at}`);

function running(seed: string): Machine {
	const machine = new Machine(seed);
	expect(machine.boot(FLOORS)).toBe(null);
	machine.serve(FLOORS);
	return machine;
}

function opened(machine: Machine): StateExport {
	const state = machine.up.driver.exportState();
	if (state === null) throw new Error("another one runs");
	return state;
}

function nextPart(machine: Machine, state: StateExport): StatePart {
	let part: StatePart | null = null;
	state.next((got) => {
		part = got;
	});
	machine.runUntil(() => part !== null);
	return part as unknown as StatePart;
}

/** All parts; `between` runs after each of them. */
function wholeImage(machine: Machine, state: StateExport, between: () => void): Uint8Array {
	const all: Uint8Array[] = [];
	for (;;) {
		const part = nextPart(machine, state);
		if (part.kind === "failed") throw new Error(part.reason);
		expect(part.bytesLeft > 0).toBe(!part.last);
		all.push(part.bytes);
		if (part.last) return Buffer.concat(all);
		between();
	}
}

function sectionsOf(image: Uint8Array): Array<{ kind: number; data: Uint8Array }> {
	const sections = [];
	for (let at = IMAGE_HEAD_BYTES; at < image.length; ) {
		const { kind, length } = readSectionHead(image.subarray(at));
		at += SECTION_HEAD_BYTES;
		sections.push({ kind, data: image.slice(at, at + length) });
		at += length;
	}
	return sections;
}

describe("a state that is saved", () => {
	test("is never told from a damaged record: the member ends and names it", () => {
		const machine = running("rot");
		machine.putAll(KEYS);
		machine.runUntil(() => machine.up.driver.store.unstoredBytes === 0);
		const [store] = machine.stores.values();
		expect(store?.flip(new Dice("rot"))).toBe(true);
		const state = opened(machine);
		const askOn = (): void => state.next((part) => void (part.kind === "bytes" && askOn()));
		askOn();
		machine.runUntil(() => machine.deaths.length > 0);
		expect(machine.deaths[0]).toMatch(/^Cannot read the store: record \d+_\d+t? does not match its checksum in store\.1\. /);
	});

	test("is that of one moment, whatever is written and made a floor meanwhile", () => {
		const machine = running("one moment");
		machine.putAll(KEYS);
		const { revision } = machine.up.driver.store;
		const state = opened(machine);
		// The moment is that of the first turn; then other writes and floors go on.
		machine.runUntil(() => machine.up.driver.callsOpen === 0);
		let round = 0;
		const first = nextPart(machine, state);
		if (first.kind !== "bytes") throw new Error(first.reason);
		machine.putAll(KEYS);
		const rest = wholeImage(machine, state, () => machine.putAll([`later ${round++}`]));
		state.close();
		const image = Buffer.concat([first.bytes, rest]);
		expect(image.length % 512).toBe(0);
		const sections = sectionsOf(image);
		const head = decodeFloor(sections[0]?.data ?? new Uint8Array(0));
		if (!head.ok) throw new Error(head.found);
		expect(head.floor.mark).toMatchObject({ revision, count: KEYS.length });
		const records = sections.filter(({ kind }) => kind === SectionKind.records).flatMap(({ data }) => decodeRecords(data) ?? []);
		expect(records.map(({ key }) => decodeRecordKey(key)?.main)).toEqual(KEYS.map((_, at) => at + 2));
		expect(readImageEnd(sections.at(-1)?.data ?? new Uint8Array(0))).toEqual({ rows: 0, records: KEYS.length });
		machine.stop();
	});

	test("is one at a time; the next one may begin when the view is closed, however far the former one was", () => {
		const machine = running("one at a time");
		machine.putAll(KEYS);
		for (let parts = 0; parts < 3; parts++) {
			const state = opened(machine);
			expect(machine.up.driver.exportState()).toBe(null);
			for (let part = 0; part < parts; part++) nextPart(machine, state);
			state.close();
			state.close();
			let next: StateExport | null = null;
			machine.runUntil(() => {
				next ??= machine.up.driver.exportState();
				return next !== null;
			});
			(next as unknown as StateExport).close();
			machine.runUntil(() => {
				const free = machine.up.driver.exportState();
				free?.close();
				return free !== null;
			});
		}
		// Floors go on when nothing is captured any more.
		const floors = (): number => machine.events.filter(({ name }) => name === "floorWritten").length;
		const before = floors();
		machine.putAll(KEYS);
		machine.runUntil(() => floors() > before);
		machine.stop();
	});
});
