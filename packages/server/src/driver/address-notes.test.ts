/** The file of addresses: what it holds, and when it is written (rule S6). */
import { portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { AddressNotes } from "./address-notes.ts";
import { type AddressRecord, addressesIn, addressRecord, decodeAddresses, encodeAddresses } from "./addresses.ts";

const CLUSTER = 0xfedc_ba98_7654_3210n;
const one = { id: 1n, peerUrls: ["http://one:2380"] };
const two = { id: 0xffff_ffff_ffff_fff0n, peerUrls: ["http://two:2380", "http://2:2380"] };
const moved = { id: 1n, peerUrls: ["http://elsewhere:2380"] };

describe("the file of addresses", () => {
	test("says what was written, in one order", () => {
		const record = addressRecord(7, [two, one]);
		expect(decodeAddresses(encodeAddresses(CLUSTER, record))).toEqual({ clusterId: CLUSTER, record });
		expect(record.members).toEqual([one, { id: two.id, peerUrls: ["http://2:2380", "http://two:2380"] }]);
	});

	test("counts as none when a bit of it is inverted, or a piece is missing", () => {
		const bytes = encodeAddresses(CLUSTER, addressRecord(7, [one, two]));
		for (let at = 0; at < bytes.length - 1; at++) {
			expect(decodeAddresses(bytes.with(at, (bytes[at] as number) ^ 1)), `byte ${at}`).toBe(null);
			expect(decodeAddresses(bytes.subarray(0, at)), `${at} bytes`).toBe(null);
		}
	});

	test("that was written before it named its cluster is read as well", () => {
		const line = `{"index":7,"members":[{"id":"1","peerUrls":["http://one:2380"]}]}\n`;
		const text = `${line}${portableBytes.crc32c(new TextEncoder().encode(line)).toString(16).padStart(8, "0")}\n`;
		expect(decodeAddresses(new TextEncoder().encode(text))).toEqual({ clusterId: null, record: addressRecord(7, [one]) });
	});

	test("is made of the rows of members alone", () => {
		expect(addressesIn(3, [{ key: "version/cluster", value: new Uint8Array([1]) }])).toEqual({ index: 3, members: [] });
	});
});

class Place {
	readonly written: AddressRecord[] = [];
	readonly deaths: string[] = [];
	wakes = 0;
	private done: (error: string | null) => void = () => {};
	readonly notes: AddressNotes;

	constructor(held = addressRecord(0, [one])) {
		this.notes = new AddressNotes(held, {
			write: (record, done) => {
				this.written.push(record);
				this.done = done;
			},
			written: () => void this.wakes++,
			failed: (reason) => void this.deaths.push(reason),
		});
	}

	complete(error: string | null = null): void {
		this.done(error);
	}
}

describe("addresses are noted", () => {
	test("when they differ, and whoever asks waits until that is durable", () => {
		const { notes, written, ...place } = new Place();
		expect(notes.note(addressRecord(5, [one]))).toBe(true);
		expect(written).toEqual([]);
		expect(place.wakes).toBe(0);
	});

	test("one write at a time, the newest next; what is older than the file needs none", () => {
		const place = new Place();
		const { notes, written } = place;
		expect(notes.note(addressRecord(5, [one, two]))).toBe(false);
		expect(notes.note(addressRecord(6, [moved]))).toBe(false);
		expect(notes.note(addressRecord(7, [moved, two]))).toBe(false);
		expect(notes.note(addressRecord(6, [moved]))).toBe(false);
		expect(written.map(({ index }) => index)).toEqual([5]);
		place.complete();
		expect(written.map(({ index }) => index)).toEqual([5, 7]);
		expect(place.wakes).toBe(1);
		expect(notes.note(addressRecord(5, [one, two]))).toBe(true);
		expect(notes.note(addressRecord(6, [moved]))).toBe(false);
		place.complete();
		expect(place.wakes).toBe(2);
		expect(notes.note(addressRecord(6, [moved]))).toBe(true);
		expect(notes.note(addressRecord(9, [moved, two]))).toBe(true);
		expect(written.length).toBe(2);
	});

	test("or the member ends, as for its log and its store", () => {
		const place = new Place();
		place.notes.note(addressRecord(5, [two]));
		place.complete("ENOSPC");
		expect(place.deaths).toEqual(["Cannot write the file of addresses: ENOSPC. Free or replace the disk, then start again."]);
		expect(place.notes.note(addressRecord(5, [two]))).toBe(false);
	});

	test("never as nobody: a member that was not sent a state yet knows none", () => {
		const place = new Place();
		expect(place.notes.note(addressRecord(5, []))).toBe(true);
		expect(place.written).toEqual([]);
	});

	test("what is to go on goes on once its record is noted, and a newer one takes its place", () => {
		const place = new Place();
		const went: string[] = [];
		place.notes.noteThen(addressRecord(5, [one]), () => void went.push("nothing new"));
		expect(went).toEqual(["nothing new"]);
		place.notes.noteThen(addressRecord(6, [one, two]), () => void went.push("older"));
		place.notes.noteThen(addressRecord(8, [two]), () => void went.push("newer"));
		place.complete();
		expect(went).toEqual(["nothing new"]);
		place.complete();
		expect(went).toEqual(["nothing new", "newer"]);
		expect(place.written).toEqual([addressRecord(6, [one, two]), addressRecord(8, [two])]);
	});

	test("nothing goes on when it cannot be written", () => {
		const place = new Place();
		const went: string[] = [];
		place.notes.noteThen(addressRecord(6, [two]), () => void went.push("on"));
		place.complete("no space");
		expect([went.length, place.deaths.length]).toEqual([0, 1]);
	});
});
