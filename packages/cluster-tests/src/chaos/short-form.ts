/**
 * A scenario in its short form: its faults strike sooner and are mended sooner, until each of its lines has struck and done what it is
 * there for. So all that are shipped can be gone through in minutes.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FAULTS } from "./faults/index.ts";
import type { RunOptions } from "./run.ts";
import type { FaultLine, Scenario } from "./scenario.ts";
import type { Span } from "./span.ts";

export const SHORT_SECONDS = 2;
/** Two cores are enough for two such runs at a time. */
const CLIENTS = 6;
/** What is shown here is that each fault strikes and is survived; how much can go on meanwhile is shown by longer runs. */
export const REST_MS = 10;
/** The first strike comes after so long; with more lines they are further apart, or they would find nobody free. */
const SOONEST_MS = 300;
const LINE_MS = 700;
const LASTS_MS = 1_500;
const STORM = 3;
/** The one in which whoever is killed must have needed the whole state. */
const WHOLE_STATE = "snapshots";

export function shortForm(scenario: Scenario): Scenario {
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

/** Which lines of a short form have not done yet what they are there for. */
export class LinesLeft {
	private readonly strikes: Map<FaultLine, number>;
	private readonly folder: string | null;

	/** `folder`: where the members' logs lie, for those scenarios that are judged by them (`needsFolder`). */
	constructor({ faults, name }: Scenario, folder: string | null) {
		this.strikes = new Map(faults.map((line) => [line, 0]));
		this.folder = LinesLeft.needsFolder(name) ? folder : null;
	}

	static needsFolder(name: string): boolean {
		return name === WHOLE_STATE;
	}

	get lines(): readonly FaultLine[] {
		return [...this.strikes.keys()].filter((line) => this.left(line) > 0);
	}

	readonly enoughOf: NonNullable<RunOptions["enoughOf"]> = (line, { notes }) => {
		const needed = this.folder === null || line.fault !== "kill" || statesReceived(this.folder) > 0;
		if (needed && did(line, notes)) this.strikes.set(line, (this.strikes.get(line) ?? 0) + 1);
		return this.left(line) <= 0;
	};

	private left(line: FaultLine): number {
		// What is over at once is there to come often.
		const wanted = this.strikes.size === 1 && FAULTS.get(line.fault)?.lasts === false ? STORM : 1;
		return wanted - (this.strikes.get(line) ?? 0);
	}
}

/** As the members' logs tell. */
function statesReceived(folder: string): number {
	const logs = readdirSync(folder).filter((file) => file.endsWith(".log"));
	return logs.map((file) => readFileSync(join(folder, file), "utf8").split("received a snapshot").length - 1).reduce((a, b) => a + b, 0);
}

function sooner(span: Span | null, lines: number): Span | null {
	return span === null ? null : { minMs: SOONEST_MS, maxMs: Math.min(SOONEST_MS + LINE_MS * lines, span.maxMs) };
}

function briefly(name: string, { fault, details, for: { minMs, maxMs } }: FaultLine): Span {
	// A member must be away until the others have cut their logs; one of the next forty writes fails; a write that was made slow is seen
	// when it has ended.
	if (name === WHOLE_STATE) return { minMs, maxMs: minMs };
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
