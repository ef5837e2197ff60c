import { describe, expect, test } from "vitest";
import type { ClusterView } from "../peers/cluster-view.ts";
import type { Bootstrap } from "./bootstrap.ts";
import { answersWanted, askFirst, refuseFirstStart } from "./first-start.ts";

const url = (id: number): string => `http://10.0.0.${id}:2380`;

function plan(size: number): Bootstrap {
	const initialCluster = Array.from({ length: size }, (_, at) => ({ id: BigInt(at + 1), name: `m${at + 1}`, peerUrls: [url(at + 1)] }));
	return { initialCluster, memberId: 1n, clusterId: 0xc1n };
}

/** What a member says: its table, of which these have a name. */
function view(named: readonly number[], clusterId = 0xc1n, size = 3): ClusterView {
	const members = plan(size).initialCluster.map((member) => ({ ...member, name: named.includes(Number(member.id)) ? member.name : "" }));
	return { clusterId, members };
}

const never = new Promise<null>(() => {});
const BEFORE = "member 1 has already been bootstrapped";

describe("a first start", () => {
	const other = "cannot begin cluster c1: who answers at the peer URLs of --initial-cluster belongs to cluster c2";
	test.each<[string, Array<ClusterView | null>, string | null]>([
		["nobody answers", [null, null], null],
		["the others run, and this member never did", [view([2, 3]), view([2, 3])], null],
		["the others have only just begun", [view([]), view([])], null],
		["all know it", [view([1, 2, 3]), view([1, 2, 3])], BEFORE],
		["one knows it and the other lags", [view([2]), view([1, 2, 3])], BEFORE],
		["a cluster of another id knows it under its id", [view([1], 0xc2n)], BEFORE],
		[
			"its id was removed",
			[{ clusterId: 0xc1n, members: view([2, 3]).members.slice(1) }],
			"member 1 has been permanently removed from the cluster",
		],
		["only members of another cluster answer", [null, view([2], 0xc2n)], other],
		["one of its own cluster answers, another one is of another cluster", [view([2]), view([3], 0xc2n)], null],
	])("when %s", (_when, answers, refused) => {
		expect(refuseFirstStart(plan(3), answers)).toBe(refused);
	});

	test("is certain once so many have answered that every quorum is met", () => {
		for (let size = 1; size <= 9; size++) {
			const quorum = Math.floor(size / 2) + 1;
			// The least that hold an announcement besides the one that made it, and those that answered, out of all others.
			expect(quorum - 1 + answersWanted(plan(size))).toBeGreaterThan(size - 1);
			expect(quorum - 1 + answersWanted(plan(size)) - 1).toBeLessThanOrEqual(size - 1);
		}
	});

	const ask = (answers: Readonly<Record<string, Promise<ClusterView | null>>>) => (asked: string) => answers[asked] ?? never;
	const said = (answer: ClusterView | null) => Promise.resolve(answer);

	test("waits for nobody when all others are away, or when it is alone", async () => {
		// A patience of hours: whoever waits for it fails by the test's own limit.
		expect((await askFirst(plan(3), ask({ [url(2)]: said(null), [url(3)]: said(null) }), 1e7)).ok).toBe(true);
		expect((await askFirst(plan(1), ask({}), 1e7)).ok).toBe(true);
	});

	test("does not wait for the rest when enough have spoken, or one that knows it", async () => {
		const enough = { [url(2)]: said(view([2], 0xc1n, 5)), [url(3)]: said(view([2], 0xc1n, 5)), [url(4)]: said(view([], 0xc1n, 5)) };
		expect((await askFirst(plan(5), ask(enough), 1e7)).ok).toBe(true);
		expect(await askFirst(plan(5), ask({ [url(4)]: said(view([1], 0xc1n, 5)) }), 1e7)).toEqual({ ok: false, reason: BEFORE });
	});

	test("waits no longer than its patience for those that say nothing", async () => {
		expect((await askFirst(plan(3), ask({ [url(2)]: said(view([2])) }), 20)).ok).toBe(true);
		expect((await askFirst(plan(3), ask({}), 20)).ok).toBe(true);
	});

	test("asks a member at all its URLs, and takes no word from one that joins and knows nobody yet", async () => {
		const [self, second, third] = plan(3).initialCluster;
		const initialCluster = [self, { ...second, peerUrls: ["http://a:1", "http://b:1"] }, third] as Bootstrap["initialCluster"];
		const many = { ...plan(3), initialCluster };
		const joining = said({ clusterId: 0xc1n, members: [] });
		const answers = { "http://a:1": said(null), "http://b:1": said(view([1])), [url(3)]: joining };
		expect(await askFirst(many, ask(answers), 1e7)).toEqual({ ok: false, reason: BEFORE });
		expect((await askFirst(plan(2), ask({ [url(2)]: joining }), 1e7)).ok).toBe(true);
	});
});
