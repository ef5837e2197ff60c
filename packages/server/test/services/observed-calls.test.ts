import type { TapFields } from "@flotilla/base";
import { expect, test } from "vitest";
import { Grpc, type MethodHandler, type MethodTable, type Status, type StreamCall, type UnaryCall } from "../../src/front/seam.ts";
import { CallFigures } from "../../src/metrics/call-figures.ts";
import { innerStatus, statusOf } from "../../src/services/answers.ts";
import { observeCalls } from "../../src/services/observed-calls.ts";

/** Four methods that end each in another way, and what is seen of them. */
function watched() {
	const clock = { now: 0, monotonicMs: () => clock.now, wallMs: () => 0 };
	const events: TapFields[] = [];
	const methods: MethodTable = new Map([
		["/a.B/Answers", { shape: "unary", handle: (call) => call.respond(new Uint8Array(5)) }],
		[
			"/a.B/Slow",
			{
				shape: "unary",
				handle: (call) => {
					clock.now += 301;
					call.fail({ code: Grpc.unavailable, message: "etcdserver: request timed out" });
				},
			},
		],
		["/a.B/Waits", { shape: "unary", handle: (call) => call.onCancel(() => {}) }],
		[
			"/a.B/Stream",
			{
				shape: "stream",
				clientStreams: true,
				serverStreams: true,
				handle: (call) => {
					call.metadata("client-api-version");
					call.onMessage((message) => {
						call.send(message);
						call.end({ code: Grpc.ok, message: "" });
					});
				},
			},
		],
	]);
	const figures = new CallFigures(methods.keys());
	const tap = { emit: (name: string, _term: number, _index: number, fields: TapFields = {}) => void events.push({ name, ...fields }) };
	return { figures, events, table: observeCalls(methods, { thresholdMs: 300, clock, tap, figures, limits: { refused: () => {} } }) };
}

const answers: string[] = [];
const context = (path: string, listeners: Array<() => void>) => ({
	path,
	peer: "127.0.0.1:5",
	remainingMs: Number.POSITIVE_INFINITY,
	metadata: (key: string) => (key === "client-api-version" ? "3.5" : undefined),
	onCancel: (listener: () => void) => void listeners.push(listener),
});

function start(table: MethodTable, path: string): Array<() => void> {
	const listeners: Array<() => void> = [];
	const call: UnaryCall = {
		...context(path, listeners),
		request: new Uint8Array(7),
		respond: () => void answers.push("answer"),
		fail: ({ message }) => void answers.push(message),
	};
	const handler = table.get(path);
	if (handler?.shape === "unary") handler.handle(call);
	return listeners;
}

test("a call that takes longer than the threshold leaves one event, others none", () => {
	const { events, table } = watched();
	answers.length = 0;
	for (const path of ["/a.B/Answers", "/a.B/Slow"]) start(table, path);
	expect(answers).toEqual(["answer", "etcdserver: request timed out"]);
	expect(events).toEqual([
		{ name: "requestSlow", path: "/a.B/Slow", tookMs: 301, requestBytes: 7, peer: "127.0.0.1:5", error: "etcdserver: request timed out" },
	]);
});

test("a refusal at a limit is told with what it was, though several have the same words", () => {
	const fails = (status: Status): MethodHandler => ({ shape: "unary", handle: (call) => call.fail(status) });
	const ends = (status: Status): MethodHandler => ({
		...{ shape: "stream", clientStreams: true, serverStreams: true },
		handle: (call: StreamCall) => call.end(status),
	});
	const { limits, start: ask } = observing(
		...[fails(statusOf("applyBacklog")), fails(statusOf("tooManyRequests")), fails(innerStatus("requestTooLarge"))],
		...[fails(statusOf("emptyKey")), ends(statusOf("tooManyLongReads")), ends({ code: Grpc.ok, message: "" })],
	);
	ask();
	expect(limits).toEqual([
		["applyBacklog", "/a.B/0", "127.0.0.1:5"],
		["tooManyRequests", "/a.B/1", "127.0.0.1:5"],
		["requestTooLarge", "/a.B/2", "127.0.0.1:5"],
		["tooManyLongReads", "/a.B/4", "127.0.0.1:5"],
	]);
	expect(
		new Set((["applyBacklog", "tooManyRequests", "tooManyLongReads", "tooManyPasswords"] as const).map((one) => statusOf(one).message)),
	).toEqual(new Set(["etcdserver: too many requests"]));
});

/** Each handler under a path of its own number. */
function observing(...handlers: MethodHandler[]) {
	const limits: object[] = [];
	const methods: MethodTable = new Map(handlers.map((handler, at) => [`/a.B/${at}`, handler]));
	const table = observeCalls(methods, {
		...{
			thresholdMs: 300,
			clock: { monotonicMs: () => 0, wallMs: () => 0 },
			tap: { emit: () => {} },
			figures: new CallFigures(methods.keys()),
		},
		limits: { refused: (limit, { path, peer }) => void limits.push([limit, path, peer]) },
	});
	const ask = (): void => {
		for (const [path, handler] of table) {
			const nothing = (): void => {};
			const call = { ...context(path, []), request: new Uint8Array(0), respond: nothing, fail: nothing };
			const stream = {
				...{ onMessage: nothing, holdBack: nothing, readOn: nothing, onHalfClose: nothing },
				...{ send: () => true, onDrain: nothing, end: nothing },
			};
			if (handler.shape === "unary") handler.handle(call);
			else handler.handle({ ...context(path, []), ...stream });
		}
	};
	return { limits, start: ask };
}

test("every call is counted with its end, its messages and their bytes", () => {
	const { figures, table } = watched();
	start(table, "/a.B/Answers");
	start(table, "/a.B/Answers");
	start(table, "/a.B/Slow");
	for (const cancel of start(table, "/a.B/Waits")) cancel();
	const of = (name: string) => {
		const { started, received, sent, handled, seconds } = figures.methods.get(`/a.B/${name}`) as NonNullable<
			ReturnType<typeof figures.methods.get>
		>;
		return { started, received, sent, ends: [...handled.entries()].filter(([, count]) => count > 0), timed: seconds.count };
	};
	expect(of("Answers")).toEqual({ started: 2, received: 2, sent: 2, ends: [[Grpc.ok, 2]], timed: 2 });
	expect(of("Slow")).toEqual({ started: 1, received: 1, sent: 0, ends: [[Grpc.unavailable, 1]], timed: 1 });
	expect(of("Waits")).toEqual({ started: 1, received: 1, sent: 0, ends: [[Grpc.canceled, 1]], timed: 1 });
	expect([figures.receivedBytes, figures.sentBytes, figures.unaryStarted]).toEqual([28, 10, 4]);
});

test("a stream's messages count, and it ends once", () => {
	const { figures, table } = watched();
	const listeners: Array<() => void> = [];
	let deliver: (message: Uint8Array) => void = () => {};
	const call: StreamCall = {
		...context("/a.B/Stream", listeners),
		onMessage: (listener) => {
			deliver = listener;
		},
		holdBack: () => {},
		readOn: () => {},
		onHalfClose: () => {},
		send: () => true,
		onDrain: () => {},
		end: () => {},
	};
	const handler = table.get("/a.B/Stream");
	if (handler?.shape === "stream") handler.handle(call);
	deliver(new Uint8Array(3));
	for (const cancel of listeners) cancel();
	const { started, received, sent, handled } = figures.methods.get("/a.B/Stream") as NonNullable<ReturnType<typeof figures.methods.get>>;
	expect([started, received, sent, handled[Grpc.ok], handled[Grpc.canceled]]).toEqual([1, 1, 1, 1, 0]);
	expect([figures.receivedBytes, figures.sentBytes, figures.streamsStarted]).toEqual([3, 3, 1]);
	expect([...figures.clients]).toEqual([["3.5", 1]]);
});

test("clients that call themselves ever anew are one", () => {
	const figures = new CallFigures([]);
	for (let i = 0; i < 1_000; i++) figures.client(`v${i}`);
	expect(figures.clients.size).toBe(33);
	expect(figures.clients.get("other")).toBe(968);
});
