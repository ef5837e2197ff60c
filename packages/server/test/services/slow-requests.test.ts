import type { TapFields } from "@flotilla/base";
import { expect, test } from "vitest";
import { Grpc, type MethodTable, type UnaryCall } from "../../src/front/seam.ts";
import { watchSlowRequests } from "../../src/services/slow-requests.ts";

test("a call that takes longer than the threshold leaves one event, others none", () => {
	let nowMs = 0;
	const events: TapFields[] = [];
	const answers: string[] = [];
	const methods: MethodTable = new Map([
		["/a.B/Answers", { shape: "unary", handle: (call) => call.respond(new Uint8Array(1)) }],
		[
			"/a.B/Slow",
			{
				shape: "unary",
				handle: (call) => {
					nowMs += 301;
					call.fail({ code: Grpc.unavailable, message: "etcdserver: request timed out" });
				},
			},
		],
	]);
	const watched = watchSlowRequests(methods, {
		thresholdMs: 300,
		clock: { monotonicMs: () => nowMs, wallMs: () => 0 },
		tap: { emit: (name, _term, _index, fields = {}) => events.push({ name, ...fields }) },
	});
	const call = (path: string): UnaryCall => ({
		path,
		request: new Uint8Array(7),
		peer: "127.0.0.1:5",
		remainingMs: Number.POSITIVE_INFINITY,
		metadata: () => undefined,
		onCancel: () => {},
		respond: () => answers.push("answer"),
		fail: ({ message }) => answers.push(message),
	});
	for (const path of ["/a.B/Answers", "/a.B/Slow"]) {
		const handler = watched.get(path);
		if (handler?.shape === "unary") handler.handle(call(path));
	}
	expect(answers).toEqual(["answer", "etcdserver: request timed out"]);
	expect(events).toEqual([
		{ name: "requestSlow", path: "/a.B/Slow", tookMs: 301, requestBytes: 7, peer: "127.0.0.1:5", error: "etcdserver: request timed out" },
	]);
});
