import { describe, expect, it } from "vitest";
import { decodeMessage, encodeMessage, type Plain } from "../client/protocol.ts";
import type { TxnOp } from "./operation.ts";
import { decodeAnswer, encodeOperation, pathOf, refusedAs } from "./wire.ts";

describe("operations on the wire", () => {
	const txn: TxnOp = {
		kind: "txn",
		compare: [
			{ target: "version", result: "greater", key: "a", operand: 3 },
			{ target: "value", result: "equal", key: "b", operand: "x" },
		],
		success: [
			{ kind: "put", key: "a", value: "1" },
			{ kind: "txn", compare: [], success: [{ kind: "delete", key: "c", end: "\0" }], failure: [] },
		],
		failure: [{ kind: "range", key: "a", end: "", limit: 2, revision: 0, serializable: true, countOnly: false }],
	};

	it("say the same as the operation", () => {
		const plain = decodeMessage<Plain>("etcdserverpb.TxnRequest", encodeOperation(txn));
		expect(plain).toMatchObject({
			compare: [
				{ target: "VERSION", result: "GREATER", version: "3" },
				{ target: "VALUE", result: "EQUAL" },
			],
			success: [
				{ request_put: { key: Buffer.from("a") } },
				{ request_txn: { success: [{ request_delete_range: { range_end: Buffer.from([0]) } }] } },
			],
			failure: [{ request_range: { limit: "2", serializable: true } }],
		});
		expect(pathOf(txn)).toBe("/etcdserverpb.KV/Txn");
	});

	it("come back as answers, inner ones too", () => {
		const bytes = encodeMessage("etcdserverpb.TxnResponse", {
			header: { revision: 9 },
			succeeded: true,
			responses: [
				{
					response_put: {
						header: { revision: 9 },
						prev_kv: { key: Buffer.from("a"), value: Buffer.from("0"), create_revision: 2, mod_revision: 2, version: 1 },
					},
				},
				{
					response_txn: {
						header: { revision: 9 },
						succeeded: true,
						responses: [{ response_delete_range: { header: { revision: 9 }, deleted: 2 } }],
					},
				},
			],
		});
		expect(decodeAnswer(txn, bytes)).toEqual({
			kind: "txn",
			revision: 9,
			succeeded: true,
			responses: [
				{ kind: "put", revision: 9, previous: { key: "a", value: "0", create: 2, mod: 2, version: 1 } },
				{ kind: "txn", revision: 9, succeeded: true, responses: [{ kind: "delete", revision: 9, deleted: 2, previous: [] }] },
			],
		});
	});

	it("are refused for sure, or nobody knows", () => {
		expect(refusedAs(11, "etcdserver: mvcc: required revision has been compacted")).toBe("compacted");
		expect(refusedAs(11, "etcdserver: mvcc: required revision is a future revision")).toBe("future");
		expect(refusedAs(3, "etcdserver: key is not provided")).toBe("other");
		expect(refusedAs(14, "etcdserver: request timed out")).toBe(null);
		expect(refusedAs(4, "context deadline exceeded")).toBe(null);
	});
});
