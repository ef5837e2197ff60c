import type { Message } from "@flotilla/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { CommitNews } from "./commit-news.ts";

type Append = Extract<Message, { kind: "append" }>;

const append = (to: bigint, commit: number, entries = 0): Append => ({
	kind: "append",
	from: 1n,
	to,
	term: 3,
	prevIndex: 10,
	prevTerm: 3,
	commit,
	entries: Array.from({ length: entries }, (_, i) => ({ index: 11 + i, term: 3, kind: 0, data: new Uint8Array(0) })) as Append["entries"],
});
const heartbeat = (to: bigint): Message => ({
	kind: "heartbeat",
	from: 1n,
	to,
	term: 3,
	commit: 5,
	commitTerm: 3,
	readPosition: 0,
	sequence: 1,
});

describe("news of a commit", () => {
	let nowMs: number;
	let due: Array<() => void>;
	let late: Append[];
	let news: CommitNews;

	beforeEach(() => {
		[nowMs, due, late] = [0, [], []];
		const after = (ms: number, work: () => void): (() => void) => {
			expect(ms).toBe(1);
			due.push(work);
			return () => void due.splice(due.indexOf(work), 1);
		};
		news = new CommitNews({ monotonicMs: () => nowMs, wallMs: () => nowMs }, { soon: () => {}, after }, (messages) =>
			late.push(...messages),
		);
	});
	const fire = (): void => {
		for (const work of due.splice(0)) work();
	};

	test("rides with the next append, and is not sent by itself then", () => {
		expect(news.sift([append(2n, 11), append(3n, 11)])).toEqual([]);
		expect(news.sift([append(2n, 11, 1), append(3n, 11, 1)])).toHaveLength(2);
		fire();
		expect(late).toEqual([]);
	});

	test("leaves by itself after a millisecond, the newest of each peer", () => {
		news.sift([append(2n, 11), append(3n, 11)]);
		news.sift([append(2n, 12)]);
		expect(due).toHaveLength(1);
		fire();
		expect(late.map(({ to, commit }) => [to, commit])).toEqual([
			[2n, 12],
			[3n, 11],
		]);
		news.sift([append(2n, 13)]);
		fire();
		expect(late).toHaveLength(3);
	});

	test("holds up nothing else, and keeps its order", () => {
		const sent = [heartbeat(2n), append(2n, 12), append(3n, 12, 2), heartbeat(3n)];
		expect(news.sift(sent)).toEqual([sent[0], sent[2], sent[3]]);
		// Nothing to hold: no copy either.
		const plain = [append(3n, 13, 1)];
		expect(news.sift(plain)).toBe(plain);
	});

	test("goes at once to a peer that asked for something a short while ago", () => {
		news.heard({ kind: "appendResp", from: 3n });
		news.heard({ kind: "forward", from: 2n });
		expect(news.sift([append(2n, 11), append(3n, 11)])).toEqual([append(2n, 11)]);
		nowMs = 49;
		expect(news.sift([append(2n, 12)])).toHaveLength(1);
		nowMs = 50;
		expect(news.sift([append(2n, 13)])).toEqual([]);
	});

	test("leaves at once when connections are about to be closed", () => {
		news.sift([append(2n, 11), append(3n, 11)]);
		news.release();
		expect(late).toHaveLength(2);
		expect(due).toEqual([]);
		news.release();
		expect(late).toHaveLength(2);
	});

	test("is dropped at the end", () => {
		news.sift([append(2n, 11)]);
		news.stop();
		fire();
		expect(late).toEqual([]);
	});
});
