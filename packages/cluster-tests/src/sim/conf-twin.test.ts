import { Dice } from "@flotilla/base";
import type { ConfState } from "@flotilla/raft";
import { expect, test } from "vitest";
import { describeConf, sameConf } from "./conf-twin.ts";

function draw(dice: Dice): ConfState {
	const ids = () => Array.from({ length: dice.range(0, 2) }, () => BigInt(dice.range(1, 2)));
	return { voters: ids(), learners: ids(), votersOutgoing: ids(), learnersNext: [], autoLeave: dice.chance(1, 4) };
}

test("two configurations are the same exactly when they are described alike", () => {
	const dice = new Dice("configurations");
	let same = 0;
	for (let n = 0; n < 5_000; n++) {
		const [a, b] = [draw(dice), draw(dice)];
		expect(sameConf(a, b), `${describeConf(a)} ${describeConf(b)}`).toBe(describeConf(a) === describeConf(b));
		if (sameConf(a, b)) same++;
	}
	expect(same).toBeGreaterThan(20);
});
