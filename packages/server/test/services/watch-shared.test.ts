/** Watchers that hear the same share the bytes of their events, from the queue down to the socket. */
import { etcdserverpb as pb } from "@flotilla/api";
import { beforeEach, expect, test } from "vitest";
import { ServiceHouse } from "./scripted-member.ts";
import { inWords, WatchClient } from "./watch-client.ts";

const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const put = (key: string, value: string): void => house.member.put(key, value);

test("they are sent the same bytes of events behind heads of their own, whatever their stream", () => {
	const sent: Array<{ readonly head: Uint8Array; readonly parts: readonly Uint8Array[] }> = [];
	const clients = Array.from({ length: 2 }, () => new WatchClient(house));
	for (const { call } of clients) {
		Object.assign(call, { sendParts: (head: Uint8Array, parts: readonly Uint8Array[]) => sent.push({ head, parts }) > 0 });
	}
	for (const client of clients) for (let at = 0; at < 3; at++) client.create(ALL);
	put("a", "1");
	const [first] = sent;
	expect(sent).toHaveLength(6);
	for (const { parts } of sent) expect(parts).toBe(first?.parts);
	const words = sent.map(({ head, parts }) => inWords(pb.WatchResponse.decode(Buffer.concat([head, ...parts]))));
	expect(words).toEqual([0, 1, 2, 0, 1, 2].map((id) => `#${id} @2 a=1/2`));
	put("b", "2");
	expect(inWords(pb.WatchResponse.decode(Buffer.concat([sent[6]?.head as Uint8Array, ...(sent[6]?.parts ?? [])])))).toBe("#0 @3 b=2/3");
});

test("those that read slowly keep it once: a stream of hundreds is not parked for a few responses", () => {
	const client = new WatchClient(house);
	for (let at = 0; at < 500; at++) client.create({ key: Uint8Array.from(Buffer.from("a")) });
	client.take();
	client.call.room = 1;
	for (let at = 0; at < 3; at++) put("a", "x".repeat(10_000));
	expect(house.member.watches.counts.behind).toBe(0);
	expect(house.member.watches.queuedBytes).toBeLessThan(500_000);
	expect(house.member.watches.queuedBytes).toBeGreaterThan(30_000);
	client.call.drain();
	expect(house.member.watches.queuedBytes).toBe(0);
	expect(client.take()).toHaveLength(1_500);
});
