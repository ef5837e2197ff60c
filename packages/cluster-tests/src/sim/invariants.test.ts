/** Each statement about all members is broken by a story of its own, and by nothing else in it; told lawfully, the story breaks none. */
import type { RaftLimits } from "@flotilla/raft";
import { describe, expect, test } from "vitest";
import { INVARIANTS, type InvariantName } from "./invariants.ts";
import { CONFIGURATION_STORIES } from "./stories/configurations.ts";
import { ELECTION_STORIES } from "./stories/elections.ts";
import { LOG_STORIES } from "./stories/logs.ts";
import { MESSAGE_STORIES } from "./stories/messages.ts";
import { CheckerScene } from "./stories/scene.ts";
import type { Story } from "./stories/story.ts";

const STORIES: Readonly<Record<InvariantName, readonly Story[]>> = {
	...ELECTION_STORIES,
	...LOG_STORIES,
	...MESSAGE_STORIES,
	...CONFIGURATION_STORIES,
};

const NO_LIMITS: RaftLimits = {
	appendBytesMax: 1_000,
	inflightMessagesMax: 1_000,
	inflightBytesMax: 1_000,
	uncommittedBytesMax: 1_000,
	applyBytesMax: 1_000,
	unstableBytesMax: 1_000,
	unappliedBytesMax: 1_000,
	queuedReadsMax: 1_000,
};

function breaks({ tell, first, limits }: Story, wrong: boolean): InvariantName[] {
	const scene = new CheckerScene(first?.(wrong), limits === undefined ? null : { ...NO_LIMITS, ...limits });
	tell(scene, wrong);
	return scene.broken;
}

test("every statement has a story that breaks it", () => {
	for (const name of INVARIANTS) expect(STORIES[name].length, name).toBeGreaterThan(0);
	expect(Object.keys(STORIES).sort()).toEqual([...INVARIANTS].sort());
});

describe.each(INVARIANTS)("%s", (name) => {
	test.each(STORIES[name])("$title", (story) => {
		expect(breaks(story, false)).toEqual([]);
		expect(breaks(story, true)).toEqual([name, ...(story.also === undefined ? [] : [story.also])].sort());
	});
});
