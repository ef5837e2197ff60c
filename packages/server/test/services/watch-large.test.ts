/** The Watch service and a revision with more changes than are shown live (rule V8). */
import type { etcdserverpb as pb } from "@flotilla/api";
import { beforeEach, describe, expect, test } from "vitest";
import { GATHERED_BYTES_MAX, ServiceHouse } from "./scripted-member.ts";
import { WatchClient } from "./watch-client.ts";

const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const put = (key: string, value = "v"): void => house.member.put(key, value);
function del(key: string, rangeEnd: string): void {
	house.member.store.deleteRange({ key: text(key), rangeEnd: text(rangeEnd), prevKv: false });
	house.member.show();
}
function compact(revision: number): void {
	expect(house.member.store.compact(revision).ok).toBe(true);
	while (!house.member.store.compactionStep(1_000));
	house.member.show();
}

describe("a revision with very many changes", () => {
	const KEYS = 10_000;
	const name = (at: number): string => `big/${String(at).padStart(5, "0")}`;
	const range = { key: text("big/"), rangeEnd: text("big0") };
	const fill = (value: string): void => {
		for (let at = 0; at < KEYS; at++) {
			house.member.store.put({ key: text(name(at)), value: text(value), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
		}
		house.member.show();
	};
	const keysOf = (responses: readonly pb.WatchResponse[]): string[] =>
		responses.flatMap(({ events }) => events.map(({ type, kv }) => `${type}${Buffer.from(kv?.key ?? "").toString()}@${kv?.modRevision}`));
	const wanted = Array.from({ length: KEYS }, (_, at) => `1${name(at)}@${KEYS + 2}`);

	test("is read in slices, told in one response or in fragments that stand together, and others hear what comes meanwhile", () => {
		house = new ServiceHouse({ watchFragmentBytes: 100_000 });
		fill("v");
		const [plain, cut, other] = [new WatchClient(house), new WatchClient(house), new WatchClient(house)];
		plain.create(range);
		cut.create({ ...range, fragment: true });
		cut.create({ key: text("other") });
		other.create({ key: text("other") });
		for (const client of [plain, cut, other]) client.take();
		del("big/", "big0");
		let slices = 0;
		while (house.member.watches.catchUp()) {
			slices++;
			if (slices < KEYS / 1_000) expect([plain.call.sent.length, cut.call.sent.length]).toEqual([1, 2]);
			if (slices !== 5) continue;
			// Whoever has nothing to do with it waits, too: all of the past is read before the present is heard.
			put("other");
			plain.progress();
		}
		expect(slices).toBeGreaterThanOrEqual(KEYS / 1_000);
		expect(other.words()).toEqual([`#0 @${KEYS + 3} other=v/${KEYS + 3}`]);
		const whole = plain.take();
		expect(whole.map(({ fragment, events }) => [fragment, events.length])).toEqual([[false, KEYS]]);
		expect(keysOf(whole)).toEqual(wanted);
		const parts = cut.take();
		const own = parts.filter(({ watchId }) => watchId === 0n);
		expect(own.length).toBeGreaterThan(2);
		expect(own.map(({ fragment }) => fragment)).toEqual(own.map((_, at) => at < own.length - 1));
		expect(keysOf(own)).toEqual(wanted);
		expect(parts.map(({ watchId }) => watchId).join("")).toMatch(/^1?0+1?$/);
		expect(cut.call.sent.every((bytes) => bytes.length < 100_000)).toBe(true);
		put(name(0), "again");
		for (const client of [plain, cut]) expect(client.words()).toEqual([`#0 @${KEYS + 4} ${name(0)}=again/${KEYS + 4}`]);
	});

	test("fragments leave as fast as their client reads, and nothing comes between them", () => {
		house = new ServiceHouse({ watchFragmentBytes: 20_000 });
		fill("v");
		const client = new WatchClient(house);
		client.create({ ...range, fragment: true });
		client.create({ key: text("other") });
		client.take();
		client.call.drain(1);
		del("big/", "big0");
		while (house.member.watches.catchUp());
		put("other");
		client.create({ key: text("third") });
		const told: pb.WatchResponse[] = [];
		for (let reads = 0; ; reads++) {
			const taken = client.take();
			// One a read, as long as there are others behind it.
			expect(taken).toHaveLength(1);
			told.push(...taken);
			if (!taken[0]?.fragment) break;
			expect(reads).toBeLessThan(KEYS);
			client.call.drain(1);
		}
		expect(told.length).toBeGreaterThan(10);
		expect(told.every(({ watchId }) => watchId === 0n)).toBe(true);
		expect(keysOf(told)).toEqual(wanted);
		client.call.drain();
		expect(client.words().sort()).toEqual([`#1 @${KEYS + 3} other=v/${KEYS + 3}`, `#2 @${KEYS + 3} created`]);
	});

	test("a limit smaller than what is packed together cuts it all the same", () => {
		house = new ServiceHouse({ watchFragmentBytes: 1_000 });
		fill("v");
		const client = new WatchClient(house);
		client.create({ ...range, fragment: true });
		client.take();
		del("big/", "big0");
		house.member.readPast();
		expect(client.call.sent.every((bytes) => bytes.length < 1_000)).toBe(true);
		expect(keysOf(client.take())).toEqual(wanted);
	});

	test("a compaction past it ends whoever has not heard it, also in the middle", () => {
		fill("v");
		const client = new WatchClient(house);
		client.create(range);
		client.take();
		del("big/", "big0");
		for (let slice = 0; slice < 3; slice++) house.member.watches.catchUp();
		put("other");
		compact(KEYS + 3);
		house.member.readPast();
		expect(client.words()).toEqual([`#0 @0 canceled compacted ${KEYS + 3}`]);
	});

	test("whoever would hear more of it than can be held is ended; the others are not", () => {
		fill("x".repeat(200));
		const [large, small] = [new WatchClient(house), new WatchClient(house)];
		large.create({ ...range, prevKv: true });
		small.create(range);
		for (const client of [large, small]) client.take();
		expect(KEYS * 200).toBeGreaterThan(GATHERED_BYTES_MAX);
		del("big/", "big0");
		house.member.readPast();
		expect(large.words()).toEqual([`#0 @${KEYS + 2} canceled (etcdserver: too many events in one revision)`]);
		expect(keysOf(small.take())).toEqual(wanted);
		large.create(range);
		put(name(1));
		expect(large.words()).toEqual([`#1 @${KEYS + 2} created`, `#1 @${KEYS + 3} ${name(1)}=v/${KEYS + 3}`]);
	});
});
