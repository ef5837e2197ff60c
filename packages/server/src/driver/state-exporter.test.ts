import { Dice } from "@flotilla/base";
import { decodeRecordKey, EMPTY_MARK, type StoredRecord } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import type { StateExport, StatePart, StoreCompletion } from "../ports.ts";
import { record } from "../stores/store.suite.ts";
import { Machine, testConfig } from "./boot.suite.ts";
import { decodeFloor } from "./floor-record.ts";
import type { LiveStore } from "./live-store.ts";
import { decodeRecords, decodeRows } from "./snapshot-codec.ts";
import { IMAGE_HEAD_BYTES, readImageEnd, readSectionHead, SECTION_HEAD_BYTES, SectionKind } from "./snapshot-image.ts";
import { FOR_CLIENTS, StateExporter } from "./state-exporter.ts";

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

	test("holds no record above its revision, though its view has some, and reads from a view of its own (rule N8)", () => {
		const revision = 7;
		const asked: Array<{ readonly kind: string; readonly view: string; readonly done: (completion: StoreCompletion) => void }> = [];
		const store = {
			storedSeq: 0,
			view: ({ kind, view }: { kind: string; view: string }, done: (completion: StoreCompletion) => void) =>
				void asked.push({ kind, view, done }),
		} as unknown as LiveStore;
		const confState = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
		const tables = [
			{ key: "members/1", value: Uint8Array.of(1) },
			{ key: "auth/state", value: Uint8Array.of(2) },
		];
		const mark = { ...EMPTY_MARK, revision };
		const exporter = new StateExporter({
			...FOR_CLIENTS,
			identity: () => ({ clusterId: 7n, memberId: 1n, generation: "1" }),
			capture: () => ({ appliedIndex: 50, term: 3, confState, mark, tables, tableDigest: 0, batchSeq: 0 }),
			store: () => store,
			logicalBytes: () => 0,
			schedule: () => {},
		});
		const state = exporter.open();
		const parts: Uint8Array[] = [];
		const answer = (records: StoredRecord[] = []): void => asked.shift()?.done({ id: 1, error: null, rows: null, records });
		exporter.turn();
		expect(asked.map(({ kind, view }) => [kind, view])).toEqual([["openView", "export"]]);
		answer();
		for (let turn = 0; turn < 10; turn++) {
			state?.next((part) => void (part.kind === "bytes" && parts.push(part.bytes)));
			exporter.turn();
			expect(asked.every(({ kind, view }) => kind === "readView" && view === "export")).toBe(true);
			if (asked.length > 0) answer([record(revision - 1, "a"), record(revision, "b"), record(revision + 1, "later")]);
			if (parts.at(-1)?.length === 0) break;
		}
		const sections = sectionsOf(new Uint8Array(Buffer.concat(parts)));
		const told = sections.filter(({ kind }) => kind === SectionKind.records).flatMap(({ data }) => decodeRecords(data) ?? []);
		expect(told).toEqual([record(revision - 1, "a"), record(revision, "b")]);
		// Who belongs to the cluster is no part of it: whoever restores it makes another one.
		const rows = sections.filter(({ kind }) => kind === SectionKind.rows).flatMap(({ data }) => decodeRows(data) ?? []);
		expect(rows.map(({ key }) => key)).toEqual(["auth/state"]);
		state?.close();
		expect(asked.map(({ kind, view }) => [kind, view])).toEqual([["closeView", "export"]]);
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
