import { silentTap } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { DigestWatch } from "./digest-watch.ts";
import { Leadership } from "./leadership.ts";
import type { DigestNote } from "./messages.ts";
import { Outbox } from "./outbox.ts";

const MEMBERS = [1n, 2n, 3n].map((id) => ({ id, name: `m${id}`, peerUrls: [], clientUrls: [], learner: false }));

function watchAt(self: bigint): { readonly watch: DigestWatch; readonly sent: () => DigestNote[] } {
	const leadership = new Leadership(self, 1);
	leadership.update({ role: self === 1n ? "leader" : "follower", leader: 1n, term: 2 }, 0);
	const outbox = new Outbox();
	const watch = new DigestWatch(leadership, outbox, silentTap);
	return { watch, sent: () => outbox.output.send.splice(0) as DigestNote[] };
}

function note(from: bigint, appliedIndex: number, digest: number, term = 2): DigestNote {
	return { kind: "digest", from, to: from === 1n ? 2n : 1n, term, appliedIndex, digest };
}

describe("the leader", () => {
	test("names the one that differs from a quorum", () => {
		const { watch, sent } = watchAt(1n);
		watch.announce(10, () => 7, MEMBERS);
		expect(sent().map(({ to, appliedIndex, digest }) => [to, appliedIndex, digest])).toEqual([
			[2n, 10, 7],
			[3n, 10, 7],
		]);
		watch.receive(note(2n, 10, 8), 12, () => 0);
		expect([...watch.differing]).toEqual([]);
		watch.receive(note(3n, 10, 7), 12, () => 0);
		expect([...watch.differing]).toEqual([2n]);
	});

	test("names itself when the others agree against it", () => {
		const { watch } = watchAt(1n);
		watch.announce(10, () => 7, MEMBERS);
		watch.receive(note(2n, 10, 8), 12, () => 0);
		watch.receive(note(3n, 10, 8), 12, () => 0);
		expect([...watch.differing]).toEqual([1n]);
	});

	test("names nobody when too few answered to tell, and forgets findings that are not found again", () => {
		const { watch } = watchAt(1n);
		watch.announce(10, () => 7, MEMBERS);
		watch.receive(note(2n, 10, 8), 12, () => 0);
		watch.announce(20, () => 9, MEMBERS);
		expect([...watch.differing]).toEqual([0n]);
		watch.receive(note(2n, 20, 9), 22, () => 0);
		watch.announce(30, () => 9, MEMBERS);
		expect([...watch.differing]).toEqual([]);
	});

	test("prefers the digest of a round index, which others know too when they are ahead", () => {
		const { watch, sent } = watchAt(1n);
		expect(watch.isWanted(4_096)).toBe(true);
		expect(watch.isWanted(4_097)).toBe(false);
		watch.applied(4_096, 5);
		watch.announce(5_000, () => 6, MEMBERS);
		watch.announce(5_001, () => 7, MEMBERS);
		expect(sent().map(({ appliedIndex, digest }) => [appliedIndex, digest])).toEqual([
			[4_096, 5],
			[4_096, 5],
			[5_001, 7],
			[5_001, 7],
		]);
	});

	test("takes no answer of another term or to a note it never sent", () => {
		const { watch } = watchAt(1n);
		watch.announce(10, () => 7, MEMBERS);
		watch.receive(note(2n, 10, 8, 1), 12, () => 0);
		watch.receive(note(3n, 11, 8), 12, () => 0);
		watch.announce(20, () => 9, MEMBERS);
		expect([...watch.differing]).toEqual([]);
	});
});

describe("a follower", () => {
	test("answers for its present index, for one it reaches later, and for a round one it has passed", () => {
		const { watch, sent } = watchAt(2n);
		watch.applied(4_096, 5);
		watch.receive(note(1n, 4_096, 5), 5_000, () => 6);
		watch.receive(note(1n, 5_000, 6), 5_000, () => 6);
		watch.receive(note(1n, 5_010, 7), 5_000, () => 6);
		watch.receive(note(1n, 4_999, 7), 5_000, () => 6);
		expect(watch.isWanted(5_009)).toBe(false);
		expect(watch.isWanted(5_010)).toBe(true);
		watch.applied(5_010, 8);
		expect(watch.isWanted(5_010)).toBe(false);
		expect(sent().map(({ appliedIndex, digest }) => [appliedIndex, digest])).toEqual([
			[4_096, 5],
			[5_000, 6],
			[5_010, 8],
		]);
	});

	test("says nothing of the state that it had before another one was sent whole", () => {
		const { watch, sent } = watchAt(2n);
		watch.applied(4_096, 5);
		watch.receive(note(1n, 6_000, 9), 5_000, () => 6);
		watch.onSkipped(7_000);
		watch.receive(note(1n, 4_096, 4), 7_000, () => 6);
		expect([sent(), watch.isWanted(6_000)]).toEqual([[], false]);
	});

	test("answers its own leader only", () => {
		const { watch, sent } = watchAt(2n);
		watch.receive(note(3n, 10, 5), 10, () => 5);
		watch.receive(note(1n, 10, 5, 1), 10, () => 5);
		expect(sent()).toEqual([]);
	});
});
