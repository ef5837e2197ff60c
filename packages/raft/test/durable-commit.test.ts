import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { Cluster } from "./sim/cluster.ts";

test("a leader of an earlier term is told of no commit that only rides with a later write (rule C3)", () => {
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice("riding") });
	cluster.elect(1n);
	cluster.propose(1n, 3);
	// Everything but the last commit, which 2 holds without having synced it.
	cluster.settle();
	const [told] = [cluster.status(2n)];
	const synced = cluster.member(2n).disk.synced.hardState.commit;
	expect(told.commit).toBeGreaterThan(synced);
	const answers: number[] = [];
	cluster.onMessage = (message) => {
		if (message.kind === "appendResp" && message.from === 2n) answers.push(message.commit);
	};
	const stale = { from: 3n, to: 2n, term: told.term - 1 };
	cluster.hand({ kind: "append", ...stale, prevIndex: 1, prevTerm: 1, commit: 1, entries: [] });
	cluster.drain(2n);
	expect(answers).toEqual([synced]);
});
