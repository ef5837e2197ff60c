import type { Dice } from "@flotilla/base";
import { expect, test, vi } from "vitest";
import type { RaftCore } from "../src/index.ts";
import { ProgressTable } from "../src/progress.ts";
import type { Raft } from "../src/raft.ts";
import type { Cluster } from "./sim/cluster.ts";
import { runSchedule, runsUntilFound } from "./sim/schedule.ts";

/** A checker that finds nothing proves nothing: these clusters break a promise on purpose. */

function runsUntilCaught(sabotage: (cluster: Cluster, dice: Dice) => void): { caught: boolean; text: string } {
	for (let seed = 1; seed <= 400; seed++) {
		try {
			runSchedule(seed, { steps: 800, sabotage });
		} catch (error) {
			return { caught: true, text: error instanceof Error ? error.message : "" };
		}
	}
	return { caught: false, text: "" };
}

test("a disk that forgets what it has acknowledged is caught", () => {
	const { caught } = runsUntilCaught((cluster, dice) => {
		if (!dice.chance(1, 60)) return;
		const member = cluster.member(dice.pick(cluster.ids));
		if (!member.up || member.disk.synced.entries.length < 3) return;
		const image = member.disk.synced.copy();
		image.entries.length -= 2;
		const last = image.lastIndex;
		if (image.base.index > last) return;
		image.hardState = { ...image.hardState, commit: Math.min(image.hardState.commit, last) };
		cluster.crash(member.id, () => 0);
		member.disk.revert(image);
		if (member.machine.state.index > last) member.machine.restore(member.machine.at(Math.max(image.base.index, last)));
	});
	expect(caught).toBe(true);
});

test("votes that leave before they are durable are caught", () => {
	const { caught, text } = runsUntilCaught((cluster) => {
		for (const { id, outstanding } of cluster.upMembers) {
			for (const work of outstanding) {
				for (const message of work.release) if (message.kind === "voteResp") cluster.leak(id, message);
			}
		}
	});
	expect({ caught, text }).toMatchObject({ caught: true, text: expect.stringMatching(/durable/) });
});

test("a message that is changed on its way is caught", () => {
	const { caught } = runsUntilCaught((cluster) => {
		cluster.messages = cluster.messages.map((message) =>
			message.kind === "appendResp" && message.reject ? { ...message, reject: false } : message,
		);
	});
	expect(caught).toBe(true);
});

test.each([
	["inflightMessagesMax", 2, 256, /has appends under way/],
	["inflightBytesMax", 200, 1 << 20, /has bytes under way/],
	["uncommittedBytesMax", 200, 1 << 20, /holds uncommitted bytes/],
	["applyBytesMax", 100, 1 << 20, /hands out for apply/],
	["unstableBytesMax", 200, 1 << 20, /takes entries with unstable bytes/],
	["unappliedBytesMax", 200, 1 << 20, /takes entries with unapplied bytes/],
	["queuedReadsMax", 2, 100, /queues reads/],
] as const)("a core that keeps to another %s than it was given is caught (INV-33)", (limit, given, kept, breach) => {
	const plant = (_core: RaftCore, raft: Raft): void => {
		const config = { ...raft.config, [limit]: kept };
		const progress = new ProgressTable(config.inflightMessagesMax, config.inflightBytesMax);
		Object.defineProperties(raft, { config: { value: config }, progress: { value: progress } });
	};
	const mix = { config: { [limit]: given, appendBytesMax: 100 }, slowDisks: true };
	expect(runsUntilFound({ name: limit, breaks: breach, mix, plant }, "crowded", 40)).not.toBeNull();
});

test("SC-113 no clock, chance or timer has a way into the core: with all of them broken the same runs come out", () => {
	const seeds = [1, 2, 3, 4, 5];
	const want = seeds.map((seed) => runSchedule(seed, { steps: 600 }));
	const broken = (name: string) => () => {
		throw new Error(`the core must not use ${name}`);
	};
	const spies = [
		vi.spyOn(Date, "now").mockImplementation(broken("Date.now")),
		vi.spyOn(performance, "now").mockImplementation(broken("performance.now")),
		vi.spyOn(Math, "random").mockImplementation(broken("Math.random")),
		...(["setTimeout", "setInterval", "setImmediate", "queueMicrotask"] as const).map((name) =>
			vi.spyOn(globalThis, name).mockImplementation(broken(name) as never),
		),
	];
	try {
		expect(() => Date.now()).toThrow(/must not/);
		expect(seeds.map((seed) => runSchedule(seed, { steps: 600 }))).toEqual(want);
	} finally {
		for (const spy of spies) spy.mockRestore();
	}
});

test("SC-113 the same seed gives the same run, message by message", () => {
	for (let seed = 1; seed <= 20; seed++) expect(runSchedule(seed, { steps: 600 })).toEqual(runSchedule(seed, { steps: 600 }));
});
