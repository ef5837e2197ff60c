import { etcdserverpb } from "@flotilla/api";
import type { WriteCall } from "@flotilla/replica";
import { expect, test } from "vitest";
import { type AutoCompaction, startAutoCompaction } from "./auto-compaction.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A member whose revision rises by one a minute, with a clock that the test moves. */
class House {
	nowMs = 0;
	leader = 1n;
	fault: "timeout" | "compacted" | null = null;
	readonly compacted: Array<[minute: number, revision: number]> = [];
	readonly lines: string[] = [];
	readonly stop: () => void;
	private timers: Array<{ readonly atMs: number; readonly work: () => void }> = [];

	constructor(options: AutoCompaction) {
		const revision = (): number => 1 + Math.floor(this.nowMs / MINUTE);
		const store = {
			get revision() {
				return revision();
			},
		};
		this.stop = startAutoCompaction(options, {
			member: {
				memberId: 1n,
				status: () => ({ leader: this.leader }) as never,
				store: store as never,
				write: (call) => this.write(call),
			},
			clock: { monotonicMs: () => this.nowMs, wallMs: () => 0 },
			scheduler: {
				soon: () => {},
				after: (ms, work) => {
					const timer = { atMs: this.nowMs + ms, work };
					this.timers.push(timer);
					return () => {
						this.timers = this.timers.filter((other) => other !== timer);
					};
				},
			},
			log: (_level, msg, fields) => void this.lines.push(`${msg} ${JSON.stringify(fields)}`),
		});
	}

	private write(call: WriteCall): void {
		const { revision } = etcdserverpb.CompactionRequest.decode(call.payload);
		this.compacted.push([this.nowMs / MINUTE, revision]);
		call.done(this.fault === null ? ({ ok: true } as never) : { ok: false, fault: this.fault });
	}

	pass(ms: number): void {
		for (const end = this.nowMs + ms; ; ) {
			const next = this.timers.reduce((first, { atMs }) => Math.min(first, atMs), Number.POSITIVE_INFINITY);
			if (next > end) {
				this.nowMs = end;
				return;
			}
			this.nowMs = next;
			const due = this.timers.filter(({ atMs }) => atMs === next);
			this.timers = this.timers.filter(({ atMs }) => atMs !== next);
			for (const { work } of due) work();
		}
	}
}

const periodic = (retentionMs: number): AutoCompaction => ({ mode: "periodic", retentionMs, shownAs: "?" });

test("10 hours: first after 10 hours, then hourly, each time to the revision of 10 hours ago", () => {
	const house = new House(periodic(10 * HOUR));
	house.pass(13 * HOUR - 1);
	expect(house.compacted).toEqual([
		[600, 1],
		[660, 61],
		[720, 121],
	]);
});

test("30 minutes: first after 30 minutes, then every 30 minutes", () => {
	const house = new House(periodic(30 * MINUTE));
	house.pass(95 * MINUTE);
	expect(house.compacted).toEqual([
		[30, 1],
		[60, 31],
		[90, 61],
	]);
});

test("a member that does not lead samples and does nothing; when it leads it goes on at once", () => {
	const house = new House(periodic(HOUR));
	house.leader = 2n;
	house.pass(3 * HOUR);
	expect(house.compacted).toEqual([]);
	house.leader = 1n;
	house.pass(6 * MINUTE);
	expect(house.compacted).toEqual([[186, 127]]);
});

test("what failed is tried again at the next look; what is compacted already counts as done", () => {
	const house = new House(periodic(HOUR));
	house.fault = "timeout";
	house.pass(HOUR);
	expect(house.compacted).toEqual([[60, 1]]);
	house.fault = "compacted";
	house.pass(6 * MINUTE);
	expect(house.compacted.at(-1)).toEqual([66, 7]);
	house.pass(59 * MINUTE);
	expect(house.compacted.length).toBe(2);
	expect(house.lines.map((line) => line.split(" {")[0])).toEqual([
		"starting auto periodic compaction",
		"failed auto periodic compaction",
		"starting auto periodic compaction",
		"completed auto periodic compaction",
	]);
	expect(house.lines[1]).toContain('"error":"etcdserver: request timed out"');
});

test("by revisions: every 5 minutes, nothing while there is nothing to take or nothing new", () => {
	const house = new House({ mode: "revision", retention: 8 });
	house.pass(21 * MINUTE);
	expect(house.compacted).toEqual([
		[10, 3],
		[15, 8],
		[20, 13],
	]);
	expect(house.lines[0]).toBe('starting auto revision compaction {"revision":3,"revision-compaction-retention":8}');
});

test("off, and stopped", () => {
	const off = new House({ mode: "off" });
	off.pass(100 * HOUR);
	expect(off.compacted).toEqual([]);
	const stopped = new House(periodic(HOUR));
	stopped.pass(HOUR);
	stopped.stop();
	stopped.pass(10 * HOUR);
	expect(stopped.compacted.length).toBe(1);
});
