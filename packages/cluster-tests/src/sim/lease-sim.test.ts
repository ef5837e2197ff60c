import { describe, expect, it } from "vitest";
import { checkLease, type LeaseRecord } from "../history/lease-checks.ts";
import { drawPlan } from "./plan.ts";
import { withLeases } from "./planted.ts";
import { simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const limits = { faultyMs: 8_000, operationsMin: 100 };

describe(`leases under every fault (FLOTILLA_SEED=${from})`, () => {
	it("keep their promises", () => {
		for (let seed = from; seed < from + 8; seed++) {
			const result = simulate(withLeases(drawPlan(`leases ${seed}`, limits)));
			expect(result.verdict, `seed "leases ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
		}
	});
});

describe("what is said of one lease", () => {
	const second = 1_000_000;
	const life = { kind: "granted", invoked: 0, returned: 10, ttl: 2 } as const;
	const renewed = (at: number, ttl: number): LeaseRecord => ({ kind: "renewed", invoked: at, returned: at + 10, ttl });
	const cases: Array<[name: string, records: LeaseRecord[], breach: string | undefined]> = [
		["may end when it has run out", [life, renewed(2 * second, 0)], undefined],
		["may not end before", [life, renewed(second, 0)], "notEarly"],
		["may not end before its last renewal has run out", [life, renewed(second, 2), renewed(2.5 * second, 0)], "notEarly"],
		["may end early when it is given back", [life, { kind: "revoked", invoked: 20, returned: null }, renewed(second, 0)], undefined],
		["stays dead", [life, renewed(3 * second, 0), renewed(4 * second, 2)], "deadIsDead"],
		["stays dead when it was given back", [life, { kind: "revoked", invoked: 20, returned: 30 }, renewed(second, 2)], "deadIsDead"],
		["has no more time than it was given", [life, { kind: "looked", invoked: 20, returned: 30, grantedTtl: 2, ttl: 3 }], "timeLeft"],
		[
			"keeps its keys until then",
			[
				life,
				{ kind: "attached", invoked: 20, returned: 30, key: "a", revision: 2 },
				{ kind: "read", invoked: 40, returned: 50, key: "a", present: false },
			],
			"notEarly",
		],
		[
			"takes its keys along",
			[life, renewed(3 * second, 0), { kind: "read", invoked: 4 * second, returned: 5 * second, key: "a", present: true }],
			"deadIsDead",
		],
	];
	it.each(cases)("%s", (_name, records, breach) => {
		expect(checkLease(7n, records).at(-1)?.check).toBe(breach);
	});
});
