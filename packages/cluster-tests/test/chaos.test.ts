/**
 * The tester on itself: clusters of flotilla, with either gRPC adapter, broken by shipped scenarios and found whole (etcd:
 * chaos-control.test.ts). With FLOTILLA_CHAOS_CALLS the runs are long, and so many answers of flotilla are judged by all of them
 * together, half of them under a bit of everything, an eighth by grpc-js.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { missingFor } from "../src/chaos/faults/index.ts";
import { reportData } from "../src/chaos/report-data.ts";
import { reportPage } from "../src/chaos/report-page.ts";
import type { Scenario } from "../src/chaos/scenario.ts";
import { CHROMIUM, pageText } from "../src/process/browser.ts";
import { runKept, shipped } from "./chaos-run.ts";

const LONG = process.env.FLOTILLA_CHAOS_CALLS !== undefined;
const calls = Number(process.env.FLOTILLA_CHAOS_CALLS ?? 600);
const MINUTES = 60_000;

const byNative = LONG ? calls / 2 : calls;
/** Nobody serves for half of the time: the other half is what many clients at once make of it. */
const mixed = (seconds: number): Scenario => ({ ...shipped("mixed", seconds), clients: LONG ? 100 : 12 });
/** Answers of flotilla so far. */
let judged = 0;

async function runJudged(...args: Parameters<typeof runKept>): ReturnType<typeof runKept> {
	const kept = await runKept(...args);
	judged += kept.judgement.checked;
	return kept;
}

test(`a bit of everything: ${byNative} calls and more, every promise kept`, { timeout: 30 * MINUTES }, async () => {
	const { record } = await runJudged(mixed(LONG ? 20 : 5), { leastCalls: byNative, flags: ["--grpc-server=native"] });
	expect(record.attempts.length).toBeGreaterThanOrEqual(byNative);
});

if (LONG) {
	test(`a bit of everything, served by grpc-js: ${calls / 8} calls and more`, { timeout: 30 * MINUTES }, async () => {
		const { record } = await runJudged(mixed(20), { leastCalls: calls / 8, flags: ["--grpc-server=grpc-js"] });
		expect(record.attempts.length).toBeGreaterThanOrEqual(calls / 8);
	});

	const points = shipped("fault-points", 10);
	const missing = missingFor(points, "flotilla");
	test.skipIf(missing !== null)(`fault points${missing === null ? "" : ` (${missing})`}`, { timeout: 10 * MINUTES }, async () => {
		await runJudged(points);
	});
}

test("members are killed and replaced while history is compacted", { timeout: 10 * MINUTES }, async () => {
	const { record } = await runJudged(shipped("compaction", LONG ? 15 : 4), { leastCalls: 400 });
	expect(Math.max(...record.followers.map(({ events }) => events))).toBeGreaterThan(100);
});

const disks = shipped("disks-and-clocks", LONG ? 10 : 5);
const missing = missingFor(disks, "flotilla");
const because = missing === null ? "" : ` (${missing})`;
test.skipIf(missing !== null)(
	`SC-092 SC-122 logs that tear, disks that fail, clocks that jump, served by grpc-js${because}`,
	{ timeout: 10 * MINUTES },
	async () => {
		await runJudged(disks, { flags: ["--grpc-server=grpc-js"] });
	},
);

interface LogLine {
	readonly ts: string;
	readonly event?: string;
	readonly term?: number;
}

/** A leader is asked for ten times a second, and may take a while to be seen on a machine that does much else. */
const SEEN_LATE_MS = 4_000;
/** Of the wall clock, when it is corrected, against the one that runs evenly. */
const CLOCKS_MS = 100;

test.skipIf(!existsSync(CHROMIUM))(
	"the report names the leaders and faults that the members' logs tell of, and a browser draws it (needs chromium)",
	{ timeout: 10 * MINUTES },
	async () => {
		const folder = await mkdtemp(join(tmpdir(), "flotilla-report-"));
		try {
			const { record, judgement } = await runJudged(shipped("leader-kill", LONG ? 10 : 5), { folder: join(folder, "members") });
			const data = reportData(record, judgement);
			const wallMs = Date.now() - performance.now() + record.startedMs;
			const logs = new Map(
				["m1", "m2", "m3"].map((name) => [name, eventsOf(readFileSync(join(folder, "members", `${name}.log`), "utf8"), wallMs)]),
			);
			const told = (member: string, event: string): readonly TimedEvent[] => logs.get(member)?.filter((one) => one.event === event) ?? [];

			expect(data.tenures.length).toBeGreaterThan(1);
			for (const { member, term, fromMs, untilMs } of data.tenures) {
				const [won, ...others] = told(member, "becameLeader").filter((one) => one.term === term);
				expect(others).toEqual([]);
				expect(won?.atMs, `${member} leads term ${term} in the report`).toBeGreaterThan(fromMs - SEEN_LATE_MS);
				expect(won?.atMs).toBeLessThan(untilMs + CLOCKS_MS);
			}
			// Whoever led for as long as it takes to be seen is in the report. A leader ends with a fault, and with the next leader.
			const wins = [...logs.keys()].flatMap((member) => told(member, "becameLeader").map(({ atMs }) => atMs));
			for (const member of logs.keys()) {
				for (const { atMs, term } of told(member, "becameLeader")) {
					const faults = data.faults.filter(({ members }) => members.includes(member)).map(({ fromMs }) => fromMs);
					const end = Math.min(data.durationMs, ...[...wins, ...faults].filter((ms) => ms > atMs));
					if (atMs < 0 || end - atMs < SEEN_LATE_MS) continue;
					expect(
						data.tenures.some((tenure) => tenure.member === member && tenure.term === term),
						`${member} of term ${term}`,
					).toBe(true);
				}
			}

			expect(data.faults.length).toBeGreaterThan(0);
			for (const member of logs.keys()) {
				const struck = data.faults.filter(({ members }) => members.includes(member));
				// Each life begins with a line: one at the start, one for each time it was killed.
				const starts = told(member, "starting");
				expect(starts.length, `lives of ${member}`).toBe(1 + struck.length);
				for (const [at, { fromMs, untilMs }] of struck.entries()) {
					expect(starts[at + 1]?.atMs).toBeGreaterThan(fromMs - CLOCKS_MS);
					expect(starts[at + 1]?.atMs).toBeLessThan(untilMs + CLOCKS_MS);
				}
			}

			const page = join(folder, "report.html");
			await writeFile(page, reportPage(data));
			const { drawn, text } = await pageText(page);
			expect(drawn).toBe(true);
			for (const { member } of data.tenures) expect(text).toContain(member);
			expect(text.match(/\|kill\|/g)?.length, "rows of the table of faults").toBeGreaterThanOrEqual(data.faults.length);
			for (const { term, costMs } of data.failovers) expect(text).toMatch(new RegExp(`\\|${term}\\|[^]*\\|${costMs.toFixed(0)} ms\\|`));
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	},
);

// What all of them together have not made is made now.
test.skipIf(!LONG)(`${calls} answers and more are judged`, { timeout: 60 * MINUTES }, async () => {
	while (judged < calls) await runJudged(mixed(5), { leastCalls: calls - judged, flags: ["--grpc-server=native"] });
	console.log(`${judged} answers of flotilla were judged under chaos`);
	expect(judged).toBeGreaterThanOrEqual(calls);
});

interface TimedEvent {
	readonly event: string;
	readonly term: number;
	/** From the start of the run. */
	readonly atMs: number;
}

function eventsOf(log: string, startWallMs: number): TimedEvent[] {
	return log.split("\n").flatMap((line) => {
		if (!line.startsWith("{")) return [];
		const { ts, event, term = 0 } = JSON.parse(line) as LogLine;
		return event === undefined ? [] : [{ event, term, atMs: Date.parse(ts) - startWallMs }];
	});
}
