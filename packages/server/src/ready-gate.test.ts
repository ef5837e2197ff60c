import { WireError } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { Grpc, type HttpRequest, type MethodTable, type Status, type UnaryCall } from "./front/seam.ts";
import { ReadyGate } from "./ready-gate.ts";

class Call implements UnaryCall {
	readonly path = "/etcdserverpb.KV/Range";
	readonly request: Uint8Array;
	readonly remainingMs = Number.POSITIVE_INFINITY;
	readonly peer = "127.0.0.1:1";
	answers: string[] = [];
	cancel: () => void = () => {};
	constructor(requestBytes = 0) {
		this.request = new Uint8Array(requestBytes);
	}
	metadata(): undefined {}
	onCancel(listener: () => void): void {
		this.cancel = listener;
	}
	respond(): void {
		this.answers.push("answered");
	}
	fail(status: Status): void {
		this.answers.push(`${status.code}: ${status.message}`);
	}
}

function gated(handle: (call: UnaryCall) => void) {
	const gate = new ReadyGate();
	const table: MethodTable = gate.methods(new Map([["/a", { shape: "unary", handle }]]));
	const handler = table.get("/a");
	const send = (call = new Call()): Call => {
		if (handler?.shape === "unary") handler.handle(call);
		return call;
	};
	return { gate, send };
}

describe("a member that does not serve yet", () => {
	test("keeps calls waiting and takes them in their order when it does", () => {
		const taken: UnaryCall[] = [];
		const { gate, send } = gated((call) => taken.push(call));
		const early = [send(), send(), send()];
		expect(taken).toEqual([]);
		gate.open();
		expect(taken).toEqual(early);
		const late = send();
		expect(taken.at(-1)).toBe(late);
	});

	test("forgets calls whose client has gone", () => {
		let handled = 0;
		const { gate, send } = gated(() => handled++);
		const gone = send();
		send();
		gone.cancel();
		gate.open();
		expect(handled).toBe(1);
	});

	test("refuses more calls than it can keep", () => {
		const { gate, send } = gated((call) => call.respond(new Uint8Array()));
		const waiting = Array.from({ length: 10_000 }, () => send());
		const refused = send();
		expect(refused.answers).toEqual([`${Grpc.unavailable}: etcdserver: not ready, too many requests are waiting`]);
		gate.open();
		expect(waiting.every(({ answers }) => answers.length === 1)).toBe(true);
		expect(refused.answers.length).toBe(1);
	});

	test("refuses what is more than some megabytes, and has room again for those whose clients stay", () => {
		const { gate, send } = gated((call) => call.respond(new Uint8Array()));
		const waiting = Array.from({ length: 100 }, () => send(new Call(1 << 20)));
		expect(waiting.filter(({ answers }) => answers.length > 0).length).toBe(36);
		const [first, second] = waiting as [Call, Call];
		first.cancel();
		second.cancel();
		const later = [send(new Call(2 << 20)), send(new Call(1))];
		expect(later.map(({ answers }) => answers.length)).toEqual([0, 1]);
		gate.open();
		expect(later.map(({ answers }) => answers[0])).toEqual([
			"answered",
			`${Grpc.unavailable}: etcdserver: not ready, too many requests are waiting`,
		]);
		expect([first.answers, waiting.flatMap(({ answers }) => answers).filter((answer) => answer === "answered").length]).toEqual([[], 62]);
	});

	test("answers a call that waited and then was no protobuf as it would have answered it at once", () => {
		const { gate, send } = gated(() => {
			throw new WireError("cut short");
		});
		const call = send();
		gate.open();
		expect(call.answers.length).toBe(1);
		expect(call.answers[0]).toMatch(`${Grpc.internal}: `);
	});

	test("keeps HTTP requests, too", () => {
		const gate = new ReadyGate();
		const paths: string[] = [];
		const http = gate.http({ handle: ({ path }, respond) => respond({ status: 200, headers: [], body: `served ${paths.push(path)}` }) });
		const request: HttpRequest = {
			method: "GET",
			path: "/health",
			query: new URLSearchParams(),
			headers: new Map(),
			body: new Uint8Array(),
		};
		const bodies: unknown[] = [];
		http.handle(request, ({ body }) => bodies.push(body));
		expect(bodies).toEqual([]);
		gate.open();
		expect(bodies).toEqual(["served 1"]);
	});
});
