import type { Consensus } from "@flotilla/raft";
import { expect, test } from "vitest";
import { ReadCall } from "./calls.ts";
import { Leadership } from "./leadership.ts";
import { Outbox } from "./outbox.ts";
import { Reads } from "./reads.ts";

/** One read that was asked for under token 1, in term 5. */
function asked() {
	const outbox = new Outbox();
	const leadership = new Leadership(1n, 4);
	leadership.update({ role: "follower", leader: 2n, term: 5 }, 0);
	const reads = new Reads({ pendingCallsMax: 10, pendingBytesMax: 1_000, timeoutTicks: 700, retryTicks: 500 }, leadership, outbox);
	let counter = 0;
	const core = { readIndex: () => ({ ok: true, token: { incarnation: 7, counter: ++counter } }) } as unknown as Consensus;
	reads.add(new ReadCall(0, () => {}), 0);
	expect(reads.ask(core)).toBe(true);
	return { reads, core, answers: () => outbox.take().completions.length };
}

test("a read is granted when its very index is applied, and not one before (rule R3)", () => {
	const { reads, answers } = asked();
	reads.onGrant({ token: { incarnation: 7, counter: 1 }, index: 10 });
	for (const applied of [8, 9]) reads.release(applied);
	expect(answers()).toBe(0);
	reads.release(10);
	expect(answers()).toBe(1);
});

test("a read whose token failed is asked for anew with the first entry of the term that is applied, not at the next retry (rules R4, R5)", () => {
	const { reads, core, answers } = asked();
	reads.onTermApplied(5);
	expect(reads.ask(core)).toBe(false);
	reads.onFailure({ token: { incarnation: 7, counter: 1 }, reason: "leaderChanged" });
	reads.onTermApplied(5);
	expect(reads.ask(core)).toBe(true);
	reads.onGrant({ token: { incarnation: 7, counter: 2 }, index: 3 });
	reads.release(3);
	expect(answers()).toBe(1);
});
