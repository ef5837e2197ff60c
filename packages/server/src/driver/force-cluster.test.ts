import { marksDuring } from "@flotilla/base";
import { type ConfState, EMPTY_CONF } from "@flotilla/raft";
import { MembershipCall } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import type { DiskCrash } from "../disk/memory-disk.ts";
import { Machine, MEMBER_ID, testConfig } from "./boot.suite.ts";
import { changesToAlone } from "./force-cluster.ts";

const FORCED = testConfig({ forceNewCluster: true });
const OTHER = 77n;
const OTHER_URL = "http://127.0.0.1:9999";
const CRASHES: readonly DiskCrash[] = ["power", "process"];

/** A member that had its cluster of one, added another one, and cannot commit a thing any more; it holds `a`, and `b` uncommitted. */
function abandoned(seed: string, config = testConfig()): Machine {
	const machine = new Machine(seed);
	expect(machine.boot(config)).toBe(null);
	machine.serve(config);
	machine.putAll(["a"]);
	add(machine, OTHER, OTHER_URL);
	const put = machine.put("b", "value of b");
	const { lastIndex } = machine.up.driver.status().core;
	machine.runUntil(() => machine.up.driver.status().core.stable > lastIndex);
	expect(put.done).toBe(false);
	return machine;
}

function add(machine: Machine, id: bigint, url: string): void {
	let added = false;
	const member = { id, name: "", peerUrls: [url], clientUrls: [], learner: false };
	machine.up.driver.changeMembership(
		new MembershipCall({ kind: "add", member }, 0, ({ ok }) => {
			added = ok;
		}),
	);
	machine.runUntil(() => added);
}

function memberIds(machine: Machine): readonly bigint[] {
	return machine.up.driver.members.map(({ id }) => id);
}

function expectAlone(machine: Machine): void {
	expect(machine.up.driver.status().core.confState).toEqual({ ...EMPTY_CONF, voters: [MEMBER_ID] });
	expect(memberIds(machine)).toEqual([MEMBER_ID]);
	expect(machine.get("a")).toBe("value of a");
	expect(machine.get("b")).toBe("value of b");
}

describe("a member that is forced to go on alone", () => {
	test("keeps what it holds, also what it never heard to be committed, removes the others for good, and says so", () => {
		const machine = abandoned("alone");
		machine.crash("process");
		expect(machine.boot(FORCED), machine.refusal?.text).toBe(null);
		expect(machine.events).toContainEqual({ name: "clusterForced", fields: { removed: "4d", uncertain: 1 } });
		machine.serve(FORCED);
		expectAlone(machine);
		machine.putAll(["c"]);
		machine.stop();
		// Without the flag it goes on in the same way.
		expect(machine.boot()).toBe(null);
		machine.serve();
		expectAlone(machine);
		expect(machine.get("c")).toBe("value of c");
	});

	test.each(CRASHES)("is whole after a crash at any step of the start (%s)", (kind) => {
		const whole = abandoned("steps");
		whole.crash("process");
		const before = whole.loop.steps;
		whole.boot(FORCED);
		const steps = whole.loop.steps - before;
		expect(steps).toBeGreaterThan(15);
		for (let at = 1; at <= steps; at++) {
			const machine = abandoned("steps");
			machine.crash("process");
			machine.begin(FORCED);
			for (let step = 0; step < at; step++) machine.loop.step();
			machine.crash(kind);
			expect(machine.boot(FORCED), `crash after step ${at}: ${machine.refusal?.text}`).toBe(null);
			machine.serve(FORCED);
			expectAlone(machine);
		}
	});

	test("does it once: with the flag left on, what has joined since is not thrown out; a start without it allows it again", () => {
		const machine = abandoned("once");
		machine.crash("process");
		expect(marksDuring(() => void machine.boot(FORCED)).clusterForced).toBe(1);
		machine.serve(FORCED);
		machine.stop();
		expect(machine.boot(FORCED)).toBe(null);
		machine.serve(FORCED);
		expect(machine.events.filter(({ name }) => name === "clusterForced")).toHaveLength(1);
		add(machine, 78n, "http://127.0.0.1:9998");
		machine.crash("process");
		expect(machine.boot(FORCED)).toBe("cannotForce");
		expect(machine.refusal?.text).toContain("others have joined it since");
		machine.crash("process");
		expect(machine.boot()).toBe(null);
		expect(machine.up.driver.status().core.confState.voters).toHaveLength(2);
		machine.crash("process");
		expect(machine.boot(FORCED)).toBe(null);
		machine.serve(FORCED);
		expectAlone(machine);
	});

	test("is refused where there is nothing, or where a member of the cluster answers, and nothing is changed", () => {
		const empty = new Machine("empty");
		expect(empty.boot(FORCED)).toBe("cannotForce");
		expect(empty.boot()).toBe(null);
		const machine = abandoned("others");
		machine.crash("process");
		machine.othersAnswer = OTHER_URL;
		expect(machine.boot(FORCED)).toBe("cannotForce");
		expect(machine.refusal?.text).toContain(OTHER_URL);
		expect(machine.asked).toMatchObject([{ id: OTHER, peerUrls: [OTHER_URL] }]);
		machine.crash("process");
		expect(machine.boot()).toBe(null);
		expect(machine.up.driver.status().core.confState.voters).toEqual([OTHER, MEMBER_ID]);
	});

	test("is refused where the member never heard that it belongs to the cluster", () => {
		const machine = new Machine("joined");
		const config = testConfig({ initialClusterState: "existing" });
		expect(machine.boot(config)).toBe(null);
		machine.stop();
		expect(machine.boot({ ...config, forceNewCluster: true })).toBe("cannotForce");
	});
});

test("from any configuration the changes lead to a cluster of one", () => {
	const from = (conf: Partial<ConfState>) =>
		changesToAlone({ ...EMPTY_CONF, ...conf }, 1n).flatMap(({ changes }) => changes.map(({ op, node }) => `${op} ${node}`));
	expect(from({ voters: [1n] })).toEqual([]);
	expect(from({ voters: [1n, 2n, 3n], learners: [4n] })).toEqual(["remove 2", "remove 3", "remove 4"]);
	expect(from({ voters: [2n, 3n], learners: [1n] })).toEqual(["addVoter 1", "remove 2", "remove 3"]);
	expect(from({ voters: [2n, 5n], votersOutgoing: [1n, 2n, 3n], learnersNext: [3n], autoLeave: true })).toEqual([
		"addVoter 1",
		"remove 2",
		"remove 3",
		"remove 5",
	]);
});
