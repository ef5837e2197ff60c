import { ReadCall, WriteCall } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import { record as storedRecord } from "../stores/store.suite.ts";
import { append, batch, driverHarness, message } from "./driver.suite.ts";

const record = (revision: number) => storedRecord(revision, "value");

function started(change: Parameters<typeof driverHarness>[0] = {}) {
	const harness = driverHarness(change);
	harness.driver.start(harness.transport);
	harness.time.settle();
	harness.effects.length = 0;
	harness.machine.inputs.length = 0;
	return harness;
}

function write(done: (ok: boolean) => void): WriteCall {
	return new WriteCall(1, new Uint8Array([1]), "", 0, 0, (outcome) => done(outcome.ok));
}

describe("one turn", () => {
	test("gathers everything that came before it, and takes it in a fixed order", () => {
		const { driver, time, machine } = started();
		driver.write(write(() => {}));
		driver.read(new ReadCall(0, () => {}));
		driver.messages([message("heartbeat"), message("appendResp")]);
		driver.connected(2n);
		driver.lost(3n);
		expect(machine.inputs).toEqual([]);
		time.settle();
		expect(machine.inputs).toEqual(["receive heartbeat", "receive appendResp", "connected 2", "lost 3", "write", "read"]);
	});

	test("starts the log's write before the messages leave", () => {
		const { machine, time, driver, effects } = started();
		machine.next = { appends: [append(1)], send: [message("heartbeat")], batches: [batch(1)] };
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(effects).toEqual(["append 1", "flush", "send heartbeat", "store batch"]);
	});

	test("comes again when the replica has more work", () => {
		const { machine, time, driver } = started();
		let drains = 0;
		const drain = machine.drain.bind(machine);
		machine.drain = () => ({ ...drain(), moreWork: ++drains < 4 });
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(drains).toBe(4);
	});
});

describe("durability", () => {
	test("holds messages back until their own frame, and all before it, are durable (rules W3, W6)", () => {
		const { machine, time, driver, effects } = started();
		machine.next = { appends: [append(1, [message("voteResp")]), append(2, [message("appendResp")])] };
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(effects.filter((effect) => effect.startsWith("send"))).toEqual([]);
		driver.walDurable(1);
		time.settle();
		expect(effects.filter((effect) => effect.startsWith("send"))).toEqual(["send voteResp"]);
		driver.walDurable(2);
		time.settle();
		expect(effects.filter((effect) => effect.startsWith("send"))).toEqual(["send voteResp", "send appendResp"]);
		expect(machine.inputs).toEqual(["receive heartbeat", "persisted 1", "persisted 2"]);
		expect(driver.logSettled).toBe(true);
	});

	test("SC-092 ends the process once when the log fails, and does nothing afterwards (rule W4)", () => {
		const { machine, time, driver, effects, deaths } = started();
		machine.next = { appends: [append(1, [message("voteResp")])] };
		driver.messages([message("heartbeat")]);
		time.settle();
		effects.length = 0;
		driver.walFailed("write failed: EIO");
		driver.walFailed("write failed: EIO");
		driver.walDurable(1);
		driver.messages([message("heartbeat")]);
		time.pass(50);
		expect(deaths).toEqual(["write failed: EIO"]);
		expect(effects).toEqual([]);
	});

	test("ends the process when a record batch fails", () => {
		const { machine, time, driver, deaths, completeStore } = started();
		machine.next = { batches: [batch(1)] };
		driver.messages([message("heartbeat")]);
		time.settle();
		completeStore("ENOSPC");
		expect(deaths).toEqual(["Cannot write to the store: ENOSPC. Free or replace the disk, then start again."]);
	});

	test("SC-091 tells the replica that its disk is stuck after two election timeouts, and that it moves again", () => {
		const { machine, time, driver } = started();
		machine.next = { appends: [append(1)] };
		driver.messages([message("heartbeat")]);
		time.settle();
		time.pass(1_990);
		expect(machine.inputs).not.toContain("stalled true");
		time.pass(30);
		expect(machine.inputs).toContain("stalled true");
		driver.walDurable(1);
		time.pass(20);
		expect(machine.inputs.at(-1)).not.toBe("stalled true");
		expect(machine.inputs).toContain("stalled false");
	});

	test("tells the replica how long a write to the log takes, in ticks, and only when that changes (rule H4)", () => {
		const { machine, time, driver } = started();
		for (const [seq, ms] of [
			[1, 25],
			[2, 25],
			[3, 5],
		] as const) {
			machine.next = { appends: [append(seq)] };
			driver.messages([message("heartbeat")]);
			time.settle();
			time.pass(ms);
			driver.walDurable(seq);
			time.settle();
			time.pass(20);
		}
		expect(machine.inputs.filter((input) => input.startsWith("sync "))).toHaveLength(1);
		expect(Number(machine.inputs.find((input) => input.startsWith("sync "))?.slice(5))).toBeCloseTo(2.5, 1);
	});

	test("what rides with a later write tells nothing of the disk", () => {
		const { machine, time, driver } = started();
		machine.next = { appends: [append(1, [], false)] };
		driver.messages([message("heartbeat")]);
		time.settle();
		time.pass(500);
		driver.walDurable(1);
		time.pass(20);
		expect(machine.inputs.filter((input) => input.startsWith("sync "))).toEqual([]);
	});

	test("has the log note its head about once a second", () => {
		const { time, effects } = started();
		time.pass(5_000);
		const heads = effects.filter((effect) => effect === "head").length;
		expect(heads).toBeGreaterThanOrEqual(4);
		expect(heads).toBeLessThanOrEqual(6);
	});

	test("a frame that need not be synced is no sign of a stuck disk", () => {
		const { machine, time, driver } = started();
		machine.next = { appends: [append(1, [], false)] };
		driver.messages([message("heartbeat")]);
		time.pass(3_000);
		expect(machine.inputs).not.toContain("stalled true");
	});
});

describe("a broken invariant", () => {
	test("SC-097 goes to whoever runs the process, and no further turn is run", () => {
		const { machine, time, driver, effects } = started();
		machine.drain = () => {
			throw new Error("rule broken");
		};
		driver.messages([message("heartbeat")]);
		expect(() => time.settle()).toThrow("rule broken");
		effects.length = 0;
		driver.messages([message("heartbeat")]);
		time.pass(100);
		expect(effects).toEqual([]);
		expect(machine.inputs).toEqual(["receive heartbeat"]);
	});
});

describe("time", () => {
	test("SC-108 ticks come behind the messages of their turn", () => {
		const { machine, time, driver } = started();
		time.nowMs += 9;
		driver.messages([message("heartbeat")]);
		time.jump(1);
		expect(machine.inputs).toEqual(["receive heartbeat", "tick"]);
	});

	test("SC-108 a long pause is told once and does not become a burst of ticks", () => {
		const { machine, time } = started();
		time.jump(5_000);
		expect(machine.inputs).toEqual(["stall 500", "tick", "tick"]);
		machine.inputs.length = 0;
		time.pass(100);
		expect(machine.inputs.filter((input) => input === "tick").length).toBe(10);
	});
});

describe("calls", () => {
	test("are answered once, and never when they were cancelled before", () => {
		const { machine, time, driver } = started();
		const answers: string[] = [];
		driver.write(write((ok) => answers.push(`first ${ok}`)));
		driver.write(write((ok) => answers.push(`second ${ok}`)));
		time.settle();
		const [first, second] = machine.calls as WriteCall[];
		driver.cancel(second as WriteCall);
		const outcome = { ok: false, fault: "timeout" } as const;
		const completions = [first, first, second].map((call) => ({ call: call as WriteCall, outcome }));
		machine.next = { completions };
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(answers).toEqual(["first false"]);
		expect(machine.inputs).toContain("cancel");
		expect(driver.callsOpen).toBe(0);
	});

	test("beyond the limit of a turn are refused, in a later turn", () => {
		const { machine, time, driver } = started();
		const faults: unknown[] = [];
		for (let count = 0; count < 5; count++) {
			driver.write(new WriteCall(1, new Uint8Array([1]), "", 0, 0, (outcome) => faults.push(outcome.ok ? "" : outcome.fault)));
		}
		expect(faults).toEqual([]);
		time.settle();
		expect(faults).toEqual(["tooManyRequests", "tooManyRequests"]);
		expect(machine.calls.length).toBe(3);
		expect(driver.callsOpen).toBe(3);
	});

	test("beyond it whose clients leave at once are nobody's business: the replica would count them as answered", () => {
		const { machine, time, driver } = started();
		const answers: string[] = [];
		const calls = Array.from({ length: 5 }, (_, at) => write((ok) => answers.push(`${at} ${ok}`)));
		for (const call of calls) driver.write(call);
		driver.cancel(calls[4] as WriteCall);
		driver.cancel(calls[4] as WriteCall);
		time.settle();
		expect([answers, machine.inputs.includes("cancel")]).toEqual([["3 false"], false]);
	});

	test("that fail are counted once", () => {
		const { machine, time, driver } = started();
		const call = write(() => {});
		driver.write(call);
		time.settle();
		machine.next = { completions: [{ call, outcome: { ok: false, fault: "timeout" } }] };
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(driver.figures.proposalsFailed).toBe(1);
	});

	test("that wait for a compaction are answered when its clean-up has ended, and not at once", () => {
		const { machine, time, driver } = started();
		let answered = 0;
		Object.assign(machine.store, { compactionPending: true });
		driver.afterCompaction(() => answered++);
		time.settle();
		expect(answered).toBe(0);
		Object.assign(machine.store, { compactionPending: false });
		driver.afterCompaction(() => answered++);
		expect(answered).toBe(0);
		time.settle();
		expect(answered).toBe(2);
	});
});

describe("floors (rule S2)", () => {
	test("wait for the batches, then for the barrier, then for the synced write; only then the log is cut", () => {
		const { machine, time, driver, effects, log, completeStore } = started();
		machine.next = { batches: [batch(1), batch(2)] };
		Object.assign(machine, { appliedIndex: 20, batchSeq: 2 });
		log.bytesSinceFloor = 1_000;
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(effects).toEqual(["store batch", "store batch"]);
		completeStore();
		time.settle();
		expect(effects.length).toBe(2);
		completeStore();
		time.settle();
		expect(effects.slice(2)).toEqual(["store barrier"]);
		completeStore();
		time.settle();
		expect(effects.slice(3)).toEqual(["store floor"]);
		completeStore();
		log.bytesSinceFloor = 0;
		time.settle();
		expect(effects.slice(4)).toEqual(["cut 20"]);
		expect(machine.inputs).toContain("floor 20");
		driver.walCut(11);
		time.settle();
		expect(machine.inputs.at(-1)).toBe("compacted 11");
	});

	test("keep their distance in entries, unless the log has grown too far", () => {
		const { machine, time, driver, effects, log } = started();
		machine.appliedIndex = 5;
		log.bytesSinceFloor = 7_999;
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(effects).toEqual([]);
		log.bytesSinceFloor = 8_000;
		driver.messages([message("heartbeat")]);
		time.settle();
		expect(effects).toEqual(["store barrier"]);
	});

	test("are not begun while a compaction is under way, nor two at a time", () => {
		const { machine, time, driver, effects } = started();
		machine.appliedIndex = 5;
		Object.assign(machine.store, { compactionPending: true });
		driver.wantFloor();
		time.settle();
		expect(effects).toEqual([]);
		expect(driver.floorBusy).toBe(true);
		Object.assign(machine.store, { compactionPending: false });
		driver.messages([message("heartbeat")]);
		time.settle();
		driver.wantFloor();
		time.settle();
		expect(effects).toEqual(["store barrier"]);
	});

	test("end the process when they fail", () => {
		const { machine, time, driver, deaths, completeStore } = started();
		machine.appliedIndex = 5;
		driver.wantFloor();
		time.settle();
		completeStore("EIO");
		expect(deaths).toEqual(["Cannot write the store's floor: EIO. Free or replace the disk, then start again."]);
	});
});

describe("peers", () => {
	test("get entries that only the log still holds", () => {
		const { machine, time, driver, log } = started();
		machine.next = { fetch: [{ peer: 2n, fromIndex: 1, uptoIndex: 9, bytesMax: 100 }] };
		driver.messages([message("heartbeat")]);
		time.settle();
		log.reads[0]?.([]);
		time.settle();
		expect(machine.inputs.at(-1)).toBe("fetched 2 0");
	});

	/** A leader that a peer behind the log's beginning wants a state from; its view of the store is open. */
	function sending() {
		const parts = started();
		const { machine, driver, time, completeStore } = parts;
		machine.role = "leader";
		machine.appliedIndex = 5;
		machine.next = { snapshots: [{ peer: 2n, minIndex: 5 }] };
		driver.messages([message("heartbeat")]);
		time.pass(20);
		completeStore();
		return parts;
	}

	const ack = (next: number, outcome: "more" | "done" | "refused") =>
		({ kind: "snapshotAck", from: 2n, to: 1n, term: 1, transfer: 1, next, outcome }) as const;
	const reports = (inputs: readonly string[]) => inputs.filter((input) => input.startsWith("snapshot 2"));

	test("behind the log's beginning are sent the state, from a view of the store, and that is reported once", () => {
		const { machine, time, driver, effects, completeStore } = sending();
		expect(effects.filter((effect) => /View|snapshot/.test(effect))).toEqual(["store openView", "send snapshotPart", "store readView"]);
		completeStore(null, [record(1)]);
		completeStore(null, []);
		expect(effects.filter((effect) => effect === "send snapshotPart").length).toBe(3);
		driver.messages([ack(3, "done")]);
		time.pass(20);
		expect(effects.at(-1)).toBe("store closeView");
		expect(reports(machine.inputs)).toEqual(["snapshot 2 true"]);
	});

	for (const [whose, ask] of [
		["a peer", (parts: ReturnType<typeof started>) => void Object.assign(parts.machine.next, { snapshots: [{ peer: 2n, minIndex: 20 }] })],
		["a client", ({ driver }: ReturnType<typeof started>) => void driver.exportState()],
	] as const) {
		test(`of a state for ${whose} the view is opened when its records are written, and no floor begins before (rule N2)`, () => {
			const parts = started();
			const { machine, driver, time, effects, log, completeStore } = parts;
			Object.assign(machine, { role: "leader", appliedIndex: 20, batchSeq: 1 });
			machine.next = { batches: [batch(1)] };
			ask(parts);
			log.bytesSinceFloor = 1_000;
			driver.messages([message("heartbeat")]);
			const stored = () => effects.filter((effect) => effect.startsWith("store"));
			time.pass(50);
			expect(stored()).toEqual(["store batch"]);
			if (whose === "a peer") expect(log.heldFrom).toBe(21);
			completeStore();
			time.pass(50);
			expect(stored()).toEqual(["store batch", "store openView"]);
			completeStore();
			time.pass(50);
			expect(stored()).toContain("store barrier");
		});
	}

	test("SC-107 are sent again what they do not acknowledge, and no more parts than the window holds", () => {
		const { time, effects, driver, completeStore } = sending();
		for (let n = 0; n < 3; n++) completeStore(null, [record(1)]);
		const sent = () => effects.filter((effect) => effect === "send snapshotPart").length;
		expect([sent(), effects.filter((effect) => effect === "store readView").length]).toEqual([4, 3]);
		time.pass(1_100);
		expect(sent()).toBe(5);
		driver.messages([ack(2, "more")]);
		time.pass(20);
		expect(effects.at(-1)).toBe("store readView");
	});

	test("that refuse a state, or fall silent, are reported as failed once, after a while", () => {
		for (const refuses of [true, false]) {
			const { machine, time, driver, effects, completeStore } = sending();
			if (refuses) driver.messages([ack(0, "refused")]);
			time.pass(refuses ? 20 : 30_100);
			completeStore(null, []);
			expect([effects.includes("store closeView"), reports(machine.inputs)]).toEqual([true, []]);
			time.pass(2_000);
			expect(reports(machine.inputs)).toEqual(["snapshot 2 false"]);
		}
	});

	test("that fall silent give way to one that waits: its state is begun long before a silent one is given up otherwise", () => {
		const { machine, time, driver, effects, completeStore } = sending();
		const opened = () => effects.filter((effect) => effect === "store openView").length;
		machine.next = { snapshots: [{ peer: 3n, minIndex: 5 }] };
		driver.messages([message("heartbeat")]);
		completeStore(null, []);
		time.pass(7_000);
		expect([opened(), effects.includes("store closeView")]).toEqual([1, false]);
		time.pass(1_500);
		expect(effects).toContain("store closeView");
		completeStore();
		time.pass(100);
		expect(opened()).toBe(2);
		time.pass(2_000);
		expect(reports(machine.inputs)).toEqual(["snapshot 2 false"]);
	});

	test("lose the transfer with the leadership: the next leader begins another one", () => {
		const { machine, time, effects } = sending();
		machine.role = "follower";
		time.pass(20);
		expect(effects.at(-1)).not.toBe("send snapshotPart");
		expect(effects).toContain("send snapshotPart");
		time.pass(2_000);
		expect(reports(machine.inputs)).toEqual(["snapshot 2 false"]);
	});

	test("that were told that this member is gone end it once", () => {
		const { machine, time, driver, removals } = started();
		machine.next = { removed: true };
		driver.messages([message("heartbeat")]);
		time.settle();
		driver.removed(2n);
		expect(removals).toEqual(["removed"]);
	});
});

describe("the first election", () => {
	const voters = [1n, 2n, 3n];

	test("SC-020 begins as soon as a quorum can be reached", () => {
		const { machine, time, driver } = started({ firstElection: { voters, self: 1n, listenMs: 0 } });
		time.pass(50);
		expect(machine.inputs).not.toContain("advance 200");
		driver.connected(3n);
		time.pass(5);
		expect(machine.inputs).toContain("advance 200");
		time.pass(500);
		expect(machine.inputs.filter((input) => input === "advance 200").length).toBe(1);
	});

	test("goes by rank, and gives a leader that is there the time to be heard", () => {
		const { machine, time, driver } = started({ firstElection: { voters, self: 3n, listenMs: 120 } });
		driver.connected(1n);
		time.pass(190);
		expect(machine.inputs).not.toContain("advance 200");
		time.pass(20);
		expect(machine.inputs).toContain("advance 200");
	});

	test("of a lone member needs nobody, and that of a learner does not take place", () => {
		const lone = started({ firstElection: { voters: [1n], self: 1n, listenMs: 0 } });
		lone.time.pass(5);
		expect(lone.machine.inputs).toContain("advance 200");
		const learner = started({ firstElection: { voters, self: 9n, listenMs: 0 } });
		for (const id of voters) learner.driver.connected(id);
		learner.time.pass(500);
		expect(learner.machine.inputs).not.toContain("advance 200");
	});
});
