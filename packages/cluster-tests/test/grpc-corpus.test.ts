/**
 * Thousands of requests that a seed draws, sent to a real etcd and to flotilla: answers, codes and texts must be equal, or be a known
 * difference. `FLOTILLA_SEED` and `FLOTILLA_CORPUS_CALLS` explore further.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BesideEtcd, type Call, isRefusal, plain } from "../src/compat/beside-etcd.ts";
import { KNOWN_DIFFERENCES } from "../src/compat/known-differences.ts";
import { Requests, shownRequest } from "../src/compat/requests.ts";
import { haveProgram } from "../src/process/tools.ts";

const seed = process.env.FLOTILLA_SEED ?? "1";
const DIFFERENCES_MAX = 5;
const CALLS = Number(process.env.FLOTILLA_CORPUS_CALLS ?? 2_000);

/** The second adapter, with other requests and half as many. */
const FRONTS = [
	["native", CALLS, seed],
	["grpc-js", CALLS / 2, `${seed}/grpc-js`],
] as const;

describe.skipIf(!haveProgram("etcd")).each(FRONTS)(
	"requests that a seed draws, beside etcd's answers, by the %s front",
	(front, calls, drawn) => {
		let pair: BesideEtcd;
		beforeAll(async () => {
			pair = await BesideEtcd.start([], [`--grpc-server=${front}`]);
		});
		afterAll(() => pair?.dispose());

		test(
			`${calls} calls (FLOTILLA_SEED=${seed})`,
			async () => {
				const requests = new Requests(new Dice(`corpus/${drawn}`));
				const differences: unknown[] = [];
				const count = { done: 0, refused: 0 };
				const before: string[] = [];
				for (let at = 0; at < calls; at++) {
					const call: Call = requests.next();
					const [mine, theirs] = (await pair.tell(call)).map((outcome) => withoutTime(call, outcome));
					const shown = plain(shownRequest(call));
					const exchange = { path: call.path, shown, mine, theirs };
					if (!same(mine, theirs) && !KNOWN_DIFFERENCES.some((known) => known.applies(exchange))) {
						differences.push({ at, call: call.path, shown, before: before.slice(-3), mine, theirs });
						// What comes after may follow from it.
						if (differences.length >= DIFFERENCES_MAX) break;
					}
					before.push(`${call.path.slice(call.path.indexOf(".") + 1)} ${JSON.stringify(shown)}`);
					count[isRefusal(mine) ? "refused" : "done"]++;
					const header = (mine as { header?: unknown }).header;
					if (typeof header === "number" && header > 0) requests.revision = header;
				}
				expect(differences).toEqual([]);
				// It was no matter of refusals only, nor of good calls only.
				expect(Math.min(count.done, count.refused)).toBeGreaterThan(calls / 6);
			},
			600_000 + CALLS * 20,
		);

		test("each known difference stands in docs/compatibility.md", async () => {
			const page = await readFile(join(import.meta.dirname, "../../../docs/compatibility.md"), "utf8");
			for (const { name } of KNOWN_DIFFERENCES) expect(page).toContain(`| ${name} |`);
		});
	},
);

/** What is left of a lease's time depends on when it is asked for, and so does the order of leases; etcd tells a lease's keys in any order. */
function withoutTime({ path }: Call, outcome: unknown): unknown {
	if (isRefusal(outcome)) return outcome;
	if (path.endsWith("/LeaseLeases")) {
		const { leases, ...rest } = outcome as { leases: readonly { readonly ID: string }[] };
		return { ...rest, leases: leases.map(({ ID }) => ID).sort() };
	}
	if (!path.endsWith("/LeaseTimeToLive")) return outcome;
	const { TTL, keys, ...rest } = outcome as { TTL: number; keys: readonly string[] };
	return { ...rest, TTL: Math.sign(TTL), keys: [...keys].sort() };
}

function same(left: unknown, right: unknown): boolean {
	return JSON.stringify(left) === JSON.stringify(right);
}
