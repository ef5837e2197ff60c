import type { TapFields } from "@flotilla/base";
import { expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS } from "./front/front-options.ts";
import { LimitLog, limitsOf } from "./limit-log.ts";
import { DEFAULT_MEMBER_OPTIONS, type MemberConfig } from "./member-config.ts";

const config = { ...DEFAULT_MEMBER_OPTIONS, maxTxnOps: 7 } as unknown as MemberConfig;

test("a line a second for each limit, with the number of those between", () => {
	const clock = { now: 0, monotonicMs: () => clock.now, wallMs: () => 0 };
	const told: TapFields[] = [];
	const emit = (name: string, _term: number, _index: number, fields: TapFields = {}): void => void told.push({ name, ...fields });
	const log = new LimitLog(limitsOf(config, DEFAULT_GRPC_OPTIONS, 5), { emit }, clock);
	const ops = { name: "limitReached", limit: "operations of a transaction", value: 7, flag: "--max-txn-ops", path: "/a", peer: "p" };
	const connections = { name: "limitReached", limit: "connections", value: 5, flag: "none", path: "", peer: "q" };
	for (let at = 0; at < 1_000; at++) log.refused("tooManyOps", { path: "/a", peer: "p" });
	log.refused("connections", { path: "", peer: "q" });
	clock.now = 999;
	log.refused("tooManyOps", { path: "/a", peer: "p" });
	expect(told).toEqual([
		{ ...ops, untold: 0 },
		{ ...connections, untold: 0 },
	]);
	clock.now = 1_000;
	for (let at = 0; at < 2; at++) log.refused("tooManyOps", { path: "/a", peer: "p" });
	clock.now = 60_000;
	log.refused("tooManyOps", { path: "/a", peer: "p" });
	expect(told.slice(2).map(({ untold }) => untold)).toEqual([1_000, 1]);
});

test("connections that are ended are told so by reason", () => {
	const clock = { monotonicMs: () => 0, wallMs: () => 0 };
	const told: TapFields[] = [];
	const emit = (name: string, _term: number, _index: number, fields: TapFields = {}): void => void told.push({ name, ...fields });
	const log = new LimitLog(limitsOf(config, DEFAULT_GRPC_OPTIONS, 5), { emit }, clock);
	for (const peer of ["p", "q"]) for (const reason of ["too many resets", "no SETTINGS came"]) log.cut(reason, peer);
	expect(told).toEqual([
		{ name: "clientCut", reason: "too many resets", peer: "p", untold: 0 },
		{ name: "clientCut", reason: "no SETTINGS came", peer: "p", untold: 0 },
	]);
});

test("values are those that are kept to", () => {
	const values = Object.fromEntries(Object.values(limitsOf(config, DEFAULT_GRPC_OPTIONS, 5)).map(({ limit, value }) => [limit, value]));
	expect(values).toMatchObject({
		"bytes of the store": 2 ** 31,
		"bytes of a message": 2_097_152,
		"bytes of unfinished requests": 256 << 20,
	});
	const unlimited = limitsOf({ ...config, quotaBackendBytes: 5 }, DEFAULT_GRPC_OPTIONS, 5).noSpace.value;
	expect(unlimited).toBe(5);
});
