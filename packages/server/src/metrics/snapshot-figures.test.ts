import { describe, expect, test } from "vitest";
import { nodeClock } from "../node-ports.ts";
import { EventTap } from "../tap/event-tap.ts";
import { SnapshotFigures } from "./snapshot-figures.ts";

describe("states that travel whole", () => {
	test("are counted by the other member, those sent apart from those received", () => {
		const tap = new EventTap({ member: 1n }, nodeClock);
		const { sent, received } = new SnapshotFigures(tap);
		tap.emit("snapshotBegun", 0, 9, { peer: 2n });
		expect(sent.get(2n)).toMatchObject({ succeeded: 0, failed: 0, underWay: 1 });
		tap.emit("snapshotFailed", 0, 9, { peer: 2n, reason: "the receiver is silent" });
		expect(sent.get(2n)).toMatchObject({ succeeded: 0, failed: 1, underWay: 0 });
		tap.emit("snapshotBegun", 0, 9, { peer: 2n });
		tap.emit("snapshotSent", 0, 9, { peer: 2n, tookMs: 1_500 });
		expect(sent.get(2n)).toMatchObject({ succeeded: 1, failed: 1, underWay: 0, seconds: { count: 1, sum: 1.5 } });
		tap.emit("snapshotFailed", 0, 9, { from: 3n, reason: "a part is damaged" });
		tap.emit("snapshotReceived", 0, 9, { from: 3n, tookMs: 250 });
		expect(received.get(3n)).toMatchObject({ succeeded: 1, failed: 1, seconds: { count: 1, sum: 0.25 } });
		expect([[...sent.keys()], [...received.keys()]]).toEqual([[2n], [3n]]);
	});
});
