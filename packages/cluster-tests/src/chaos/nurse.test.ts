/** Who is started again, and who is told of. */
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { pause } from "../process/wait.ts";
import type { FaultWorld } from "./faults/fault.ts";
import { Nurse } from "./nurse.ts";
import type { Stage, StageMember } from "./stage.ts";

function scene(refuses = false) {
	const started: string[] = [];
	const findings: string[] = [];
	const member = { name: "m2", held: false, out: false, damaged: false, process: { running: false, lastLine: "its last words" } };
	const stage = {
		onEnded: (_member: StageMember, _ending: { how: number | string; doomed: boolean }) => {},
		startMember: async ({ name }: StageMember) => {
			if (refuses) throw new Error("it refuses");
			started.push(name);
		},
	};
	const world = {
		stage: stage as unknown as Stage,
		dice: new Dice("nurse"),
		pause,
		ending: () => false,
		truce: () => () => {},
		begins: () => {},
		replaced: () => {},
		note: () => {},
	};
	const nurse = new Nurse(world satisfies FaultWorld, findings);
	const end = (doomed: boolean): void => stage.onEnded(member as unknown as StageMember, { how: 134, doomed });
	return { started, findings, member, nurse, end };
}

test("a member that ended by itself is started again, and is a finding", async () => {
	const { started, findings, nurse, end } = scene();
	end(false);
	await nurse.done();
	expect(started).toEqual(["m2"]);
	expect(findings).toEqual(["m2 ended (134) and it was nobody's doing: its last words"]);
});

test("one that a fault has ended late is started again without a word", async () => {
	const { started, findings, nurse, end } = scene();
	end(true);
	await nurse.done();
	expect([started, findings]).toEqual([["m2"], []]);
});

test("one that a fault holds is left to it", async () => {
	const { started, member, nurse, end } = scene();
	member.held = true;
	end(true);
	await pause(120);
	expect(started).toEqual([]);
	member.process.running = true;
	member.held = false;
	await nurse.done();
	expect(started).toEqual([]);
});

test("one that does not start again is a finding", async () => {
	const { findings, member, nurse, end } = scene(true);
	end(true);
	await nurse.done();
	expect(findings).toEqual(["m2 does not start again: it refuses"]);
	expect(member.held).toBe(false);
});
