/** The short form; `npm run fuzz` is the long one. */
import { Dice } from "@flotilla/base";
import { test } from "vitest";
import { TARGETS } from "./targets.ts";

const INPUTS = 20_000;

test.each([...TARGETS])("%s: random inputs do no harm", (name, target) => {
	const run = target(new Dice(`fuzz ${name}`));
	for (let input = 0; input < INPUTS; input++) run();
});
