/**
 * Every shipped scenario in a short form: its faults strike sooner and are mended sooner, until each of its lines has struck and
 * done what it is there for; then every promise must have been kept. The files that call this share the scenarios among them, so that
 * they run side by side; each scenario meets one of the two gRPC adapters, drawn from the seed.
 */
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { FAULTS, missingFor } from "../src/chaos/faults/index.ts";
import { cannotAt } from "../src/chaos/places/place.ts";
import type { FaultLine, Scenario } from "../src/chaos/scenario.ts";
import type { Span } from "../src/chaos/span.ts";
import { runKept, SEED, shipped } from "./chaos-run.ts";

const SECONDS = 2;
/** Two cores are enough for two such runs at a time. */
const CLIENTS = 6;
/** What is shown here is that each fault strikes and is survived; how much can go on meanwhile is shown by longer runs. */
const REST_MS = 10;
/** The first strike comes after so long; with more lines they are further apart, or they would find nobody free. */
const SOONEST_MS = 300;
const LINE_MS = 700;
const LASTS_MS = 1_500;
const STORM = 3;
const MINUTES = 60_000;
const ADAPTERS = ["native", "grpc-js"] as const;

export const SHIPPED: readonly string[] = readdirSync(new URL("../scenarios/", import.meta.url))
	.map((file) => file.replace(/\.yaml$/, ""))
	.sort();

/** The share of the file that calls: `part` from 0 to `parts` - 1. */
export function walkShipped(part: number, parts: number): void {
	for (const name of SHIPPED.filter((_, at) => at % parts === part)) {
		const scenario = short(shipped(name, SECONDS));
		const missing = cannotAt("processes", scenario) ?? missingFor(scenario, "flotilla");
		const title = `${name}: each of its faults strikes, and every promise is kept${missing === null ? "" : ` (${missing})`}`;
		test.skipIf(missing !== null)(title, { timeout: 10 * MINUTES }, async () => {
			const adapter = new Dice(`${SEED}/adapter of ${name}`).pick([...ADAPTERS]);
			const strikes = new Map(scenario.faults.map((line) => [line, 0]));
			// What is over at once is there to come often.
			const wanted = ({ fault }: FaultLine): number => (strikes.size === 1 && FAULTS.get(fault)?.lasts === false ? STORM : 1);
			const left = (line: FaultLine): number => wanted(line) - (strikes.get(line) ?? 0);
			const folder = name === "snapshots" ? await mkdtemp(join(tmpdir(), "flotilla-walk-")) : null;
			await runKept(scenario, {
				...{ folder, flags: [`--grpc-server=${adapter}`], restMs: REST_MS },
				enoughOf(line, { notes }) {
					// Where members keep next to nothing of their log, who is killed must have needed the whole state.
					const needed = folder === null || line.fault !== "kill" || statesReceived(folder) > 0;
					if (needed && did(line, notes)) strikes.set(line, (strikes.get(line) ?? 0) + 1);
					return left(line) <= 0;
				},
			});
			expect(scenario.faults.filter((line) => left(line) > 0)).toEqual([]);
			if (folder !== null) await rm(folder, { recursive: true });
		});
	}
}

/** As the members' logs tell. */
function statesReceived(folder: string): number {
	const logs = readdirSync(folder).filter((file) => file.endsWith(".log"));
	return logs.map((file) => readFileSync(join(folder, file), "utf8").split("received a snapshot").length - 1).reduce((a, b) => a + b, 0);
}

function short(scenario: Scenario): Scenario {
	const { name, faults } = scenario;
	return {
		...scenario,
		clients: CLIENTS,
		faults: faults.map((line) => ({
			...line,
			at: sooner(line.at, faults.length),
			every: sooner(line.every, faults.length),
			for: briefly(name, line),
		})),
	};
}

function sooner(span: Span | null, lines: number): Span | null {
	return span === null ? null : { minMs: SOONEST_MS, maxMs: Math.min(SOONEST_MS + LINE_MS * lines, span.maxMs) };
}

function briefly(name: string, { fault, details, for: { minMs, maxMs } }: FaultLine): Span {
	// A member must be away until the others have cut their logs; one of the next forty writes fails; a write that was made slow is seen
	// when it has ended.
	if (name === "snapshots") return { minMs, maxMs: minMs };
	if (fault === "failing-disk") return { minMs: 2_000, maxMs: 2_000 };
	const mostMs = LASTS_MS + Number(details.delay ?? 0);
	return { minMs: Math.min(minMs, mostMs), maxMs: Math.min(maxMs, mostMs) };
}

/** Whether a strike did what its line says, where chance may have it that it does nothing. */
function did({ fault, details }: FaultLine, notes: readonly string[]): boolean {
	const told = (words: string): boolean => notes.some((note) => note.includes(words));
	switch (fault) {
		case "slow-disk":
		case "failing-disk":
			return told(": met it");
		case "full-disk":
			return told(" had 0 blocks left");
		case "torn-tail":
			return told(" bytes at ");
		case "flipped-bit":
			return told(" at ");
		case "lost-folder":
			return told("data folder removed");
		case "point": {
			// It ended the member, or was used up, or was passed while it was armed.
			const [point, term] = [String(details.point), String(details.term)];
			return told(`${point} - `) || (told(`${point} ${term}`) && (told(" ended: ") || notes.some((note) => / [1-9]\d*$/.test(note))));
		}
		default:
			return true;
	}
}
