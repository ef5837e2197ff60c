import type { mvccpb } from "@flotilla/api";
import { expect, test } from "vitest";
import { Waiting } from "./waiting.ts";

function event(key: string, modRevision: number, bytes = 1): mvccpb.Event {
	const kv = { key: Buffer.from(key), value: Buffer.alloc(bytes), createRevision: modRevision, modRevision, version: 1, lease: 0n };
	return { type: 0, kv, prevKv: null };
}

test("only whole revisions are taken", () => {
	const waiting = new Waiting();
	for (const revision of [5, 5, 6]) waiting.add(revision, event(`k${revision}`, revision));
	expect(waiting.take()).toMatchObject({ events: 2, upto: 5, lists: [{ length: 2 }] });
	expect(waiting.take()).toMatchObject({ events: 0, upto: 0, lists: [] });
	waiting.close();
	expect(waiting.take()).toMatchObject({ events: 1, upto: 6, lists: [{ length: 1 }] });
	expect(waiting.isEmpty).toBe(true);
});

test("a revision that is too much to keep comes in parts, and is done with the last of them", () => {
	const waiting = new Waiting();
	waiting.add(4, event("before", 4));
	for (let at = 0; at < 5_000; at++) {
		waiting.add(5, event(`k${at}`, 5));
		if (at === 4_095) expect([waiting.isFull, waiting.take()]).toMatchObject([true, { events: 4_097, upto: 4 }]);
	}
	waiting.add(6, event("after", 6));
	expect(waiting.take()).toMatchObject({ events: 904, upto: 5 });
	expect(waiting.split).toBe(1);
	waiting.add(6, event("large", 6, 9 << 20));
	expect(waiting.isFull).toBe(true);
	waiting.take();
	waiting.close();
	expect([waiting.take(), waiting.split]).toMatchObject([{ events: 0, upto: 6 }, 2]);
});
