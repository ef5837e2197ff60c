/** Whom a fault strikes, and from when on. */
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Stage, StageMember } from "../stage.ts";
import { choose, type FaultWorld } from "./fault.ts";

test("a fault begins when its members are found, however long the cluster takes to name its leader", async () => {
	const members = ["m1", "m2"].map((name) => ({ name, held: false, process: { running: true } }) as unknown as StageMember);
	const order: string[] = [];
	const answer = Promise.withResolvers<StageMember>();
	const stage = { present: members, leader: () => answer.promise } as unknown as Stage;
	const world = { stage, dice: new Dice("leader"), begins: () => order.push("begins") } as unknown as FaultWorld;
	const chosen = choose(world, "leader");
	order.push("asked");
	answer.resolve(members[1] as StageMember);
	expect(await chosen).toEqual([members[1]]);
	expect(order).toEqual(["asked", "begins"]);
});
