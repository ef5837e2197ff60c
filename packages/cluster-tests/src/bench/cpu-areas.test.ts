import { expect, test } from "vitest";
import { busyByArea } from "./cpu-areas.ts";

const frame = (id: number, functionName: string, url = ""): { id: number; callFrame: { functionName: string; url: string } } => ({
	id,
	callFrame: { functionName, url },
});

test("busy time is told by area, largest first, and idle time is none", () => {
	const nodes = [
		frame(1, "(idle)"),
		frame(2, "(garbage collector)"),
		frame(3, "writev"),
		frame(4, "receive", "file:///flotilla/packages/server/src/http2/connection.ts"),
		frame(5, "onData", "file:///flotilla/packages/server/src/front/native/native-call.ts"),
		frame(6, "tick", "file:///flotilla/packages/raft/src/raft.ts"),
	];
	const shares = busyByArea({ nodes, samples: [1, 2, 3, 4, 5, 6, 1], timeDeltas: [900, 10, 40, 15, 15, 20, 5_000] });
	expect(shares).toEqual([
		{ area: "writes to sockets and files (the system call)", share: 0.4 },
		{ area: "HTTP/2 and gRPC (http2, front)", share: 0.3 },
		{ area: "replica, raft, key space", share: 0.2 },
		{ area: "garbage collection", share: 0.1 },
	]);
});

test("a loop that did nothing has no areas", () => {
	expect(busyByArea({ nodes: [frame(1, "(idle)")], samples: [1, 1], timeDeltas: [5, 5] })).toEqual([]);
});
