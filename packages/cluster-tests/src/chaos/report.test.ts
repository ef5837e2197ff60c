/** The report as a browser shows it: it draws, and holds the faults and leaders of the run. */
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browse, CHROMIUM, pageText } from "../process/browser.ts";
import { type DrawnBox, type DrawnPage, drawnPage } from "../process/drawn-page.ts";
import { CALL_BYTES } from "./report-calls.ts";
import type { ReportData } from "./report-data.ts";
import { reportPage } from "./report-page.ts";

function call(startMs: number, tookMs: number, outcome: 0 | 1 | 2): Buffer {
	const bytes = Buffer.alloc(CALL_BYTES);
	bytes.writeFloatLE(startMs, 0);
	bytes.writeFloatLE(tookMs, 4);
	bytes.writeUInt32LE(outcome === 0 ? 7 : 0, 8);
	bytes.writeUInt32LE(1, 12);
	bytes[19] = outcome;
	return bytes;
}

const data: ReportData = {
	...{ format: 1, verdict: "violated", sentence: "A promise was broken.", summary: ["3 calls"], seed: "5" },
	setting: {
		program: "flotilla",
		version: "0.1",
		place: "processes",
		flags: ["--x=1"],
		machine: "two processors",
		startedAt: "2026-01-01T00:00:00Z",
	},
	scenario: { name: "s", title: "members </script><b>called</b> names", members: 3, clients: 1, seconds: 2 },
	durationMs: 2_000,
	counts: {},
	checks: [
		{
			...{ name: "linearizable", promise: "One order.", verdict: "violated", findings: ["revision 3 came twice"], attempts: [] },
			drawing: ["client 1  m1  700.000 ms  ===|  put k=v", "members wrote at revision 3: k=<b>v</b>"],
		},
	],
	faults: [{ fault: "kill", members: ["m2"], fromMs: 500, untilMs: 900, notes: ["it came back"] }],
	tenures: [
		{ member: "m2", term: 2, fromMs: 0, untilMs: 500 },
		{ member: "m1", term: 3, fromMs: 600, untilMs: 2_000 },
	],
	failovers: [
		{
			...{ term: 3, from: "m2", to: "m1", cause: "kill", lastWriteMs: 490, nextWriteMs: 610, costMs: 120, waited: 4, failed: 1 },
			stages: [
				{ stage: "leader missed", atMs: 480 },
				{ stage: "leads", atMs: 550 },
				{ stage: "first write", atMs: 610 },
			],
			steps: [{ atMs: 550, member: "m1", event: "becameLeader", what: "leads term 3" }],
		},
	],
	failoverCosts: { count: 1, p50Ms: 120, p99Ms: 120, longestMs: 120 },
	costsByCause: [{ cause: "kill", count: 1, p50Ms: 120, p99Ms: 120, longestMs: 120 }],
	buckets: { widthMs: 1_000, ok: [1, 1], failed: [0, 1], p50Ms: [1, 2], p99Ms: [3, 4] },
	calls: Buffer.concat([call(1, 5, 0), call(700, 20, 1), call(1_000, 900, 2)]).toString("base64"),
	subjects: ["", "ka..y"],
};

/** Moves the pointer over everything that is drawn, and lists what the page says there. */
const POINT_AT_ALL = `
	const told = document.body.appendChild(Object.assign(document.createElement("ol"), { id: "told" }));
	const corner = canvas.getBoundingClientRect();
	for (const { a, b, y, h } of [...boxes]) {
		canvas.dispatchEvent(new MouseEvent("mousemove", { clientX: corner.left + (a + b) / 2, clientY: corner.top + y + h / 2 }));
		told.appendChild(document.createElement("li")).textContent = tip.textContent;
	}`;

describe.skipIf(!existsSync(CHROMIUM))("the report in a browser (needs chromium)", () => {
	let folder = "";
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-report-"));
		await writeFile(join(folder, "report.html"), reportPage(data));
	});
	afterAll(() => rm(folder, { recursive: true, force: true }));

	test("it draws to the end, and names verdict, faults, leaders and what they cost", async () => {
		const { drawn, text } = await pageText(join(folder, "report.html"));
		expect(drawn).toBe(true);
		for (const words of [
			"A promise was broken.",
			"linearizable|: One order.",
			"1 change. Time without",
			"in processes, seed 5",
			"2026-01-01T00:00:00Z. 0.1, --x=1. two processors.",
			"revision 3 came twice",
			"client 1  m1  700.000 ms  ===|  put k=v\nmembers wrote at revision 3: k=&lt;b&gt;v&lt;/b&gt;",
			"kill",
			"m2",
			"m1",
			"120 ms",
			"leader missed \u221210 ms \u00b7 leads +60 ms \u00b7 first write +120 ms",
			"+60 ms m1 leads term 3",
			"+0 ms last write acknowledged before",
			"+120 ms first write acknowledged after; 4 calls waited",
		]) {
			expect(text).toContain(words);
		}
		// What comes from outside is text, never markup.
		expect(text).toContain("members &lt;/script&gt;&lt;b&gt;called&lt;/b&gt; names");
	});

	test("under the pointer each leader, fault and call says what it is", async () => {
		const page = join(folder, "pointed.html");
		await writeFile(
			page,
			reportPage(data).replace("</body>", () => `<script>${POINT_AT_ALL}</script></body>`),
		);
		const dom = await browse(page, "--dump-dom");
		const told = /<ol id="told">(.*?)<\/ol>/
			.exec(dom)?.[1]
			?.split(/<\/?li>/)
			.filter((text) => text !== "");
		expect(told?.sort()).toEqual(
			[
				"kill of m2: 0.50 s to 0.90 s. it came back",
				"m1 leads term 3: 0.60 s to 2.00 s",
				"m2 leads term 2: 0.00 s to 0.50 s",
				"client 0: put ka..y, answered at revision 7, 1.00 ms, took 5.00 ms",
				"client 0: put ka..y, no outcome, 1000.00 ms, given up after 900.00 ms",
				"client 0: put ka..y, refused, 700.00 ms, took 20.00 ms",
			].sort(),
		);
	});

	test("a picture of it shows more than one of a page that draws nothing", async () => {
		const idle = reportPage(data).replace("function draw() {", "function draw() {\n\treturn;");
		await writeFile(join(folder, "idle.html"), idle);
		const sizeOf = async (name: string): Promise<number> => {
			await browse(join(folder, `${name}.html`), `--screenshot=${folder}/${name}.png`);
			return statSync(join(folder, `${name}.png`)).size;
		};
		expect(await sizeOf("report")).toBeGreaterThan((await sizeOf("idle")) + 1_000);
	});

	describe.each([1_200, 400])("in a window of %d pixels", (width) => {
		let page: DrawnPage;
		beforeAll(async () => {
			page = await drawnPage(folder, reportPage({ ...data, faults: CROWDED }), width);
		});

		test("nothing reaches out of it", () => {
			expect(page.width).toBe(width);
			expect(page.contentWidth).toBeLessThanOrEqual(width);
			expect(page.canvasWidth).toBeGreaterThan(width / 2);
			for (const { text, left, right } of page.texts) {
				expect(left, text).toBeGreaterThanOrEqual(0);
				expect(right, text).toBeLessThanOrEqual(page.canvasWidth);
			}
		});

		test("every fault has a bar of its own, which no other bar covers, where and as long as it was", () => {
			const bars = barsOf(page);
			expect(bars.length).toBe(CROWDED.length);
			for (const [at, bar] of bars.entries())
				for (const other of bars.slice(at + 1)) {
					const apart = bar.right <= other.left || other.right <= bar.left || bar.bottom <= other.top || other.bottom <= bar.top;
					expect(apart, JSON.stringify([bar, other])).toBe(true);
				}
			// From the left border of the first, which begins with the run, and the right one of the last, which ends with it.
			const [from, until] = [Math.min(...bars.map(({ left }) => left)), Math.max(...bars.map(({ right }) => right))];
			const px = (ms: number): number => Math.round(from + (ms / data.durationMs) * (until - from));
			const whole = bars.map(({ left, right }) => `${Math.round(left)} to ${Math.round(right)}`).sort();
			expect(whole).toEqual(CROWDED.map(({ fromMs, untilMs }) => `${px(fromMs)} to ${px(untilMs)}`).sort());
		});

		test("names of faults stand whole beside their first row, before every bar", () => {
			const bars = barsOf(page);
			const firstLeft = Math.min(...bars.map(({ left }) => left));
			const names = [...new Set(CROWDED.map(({ fault }) => fault))];
			const rows = names.map((name) => page.texts.filter(({ text }) => text === name));
			expect(rows.map(({ length }) => length)).toEqual(names.map(() => 1));
			for (const [label] of rows) expect(label?.right).toBeLessThan(firstLeft);
			// Below each name there is room for as many rows as its faults need: three, one, and two.
			const ys = rows.map(([label]) => label?.y ?? 0);
			const lane = (bars[0]?.bottom ?? 0) - (bars[0]?.top ?? 0) + 4;
			expect([(ys[1] ?? 0) - (ys[0] ?? 0), (ys[2] ?? 0) - (ys[1] ?? 0)]).toEqual([3 * lane, lane]);
		});

		test("words do not stand on each other", () => {
			for (const [at, text] of page.texts.entries())
				for (const other of page.texts.slice(at + 1)) {
					const apart = text.right <= other.left || other.right <= text.left || Math.abs(text.y - other.y) >= 10;
					expect(apart, `${text.text}, ${other.text}`).toBe(true);
				}
		});

		test("what the pointer tells at the right end is in the window", () => {
			expect(page.tip.text).toContain("leads term 3");
			expect(page.tip.left).toBeGreaterThanOrEqual(0);
			expect(page.tip.right).toBeLessThanOrEqual(width);
		});
	});
});

/** Three of one kind at once, names of any length, one that begins as another ends. */
const CROWDED: ReportData["faults"] = [
	{ fault: "rolling-restart", members: ["m1"], fromMs: 0, untilMs: 1_000, notes: [] },
	{ fault: "rolling-restart", members: ["m2"], fromMs: 200, untilMs: 900, notes: [] },
	{ fault: "rolling-restart", members: ["m3"], fromMs: 300, untilMs: 1_500, notes: [] },
	{ fault: "rolling-restart", members: ["m2"], fromMs: 900, untilMs: 1_400, notes: [] },
	{ fault: "kill", members: ["m2"], fromMs: 500, untilMs: 900, notes: ["it came back"] },
	{ fault: "a-name-of-thirty-letters-in-all", members: ["m1", "m2"], fromMs: 600, untilMs: 1_200, notes: [] },
	{ fault: "a-name-of-thirty-letters-in-all", members: ["m3"], fromMs: 1_100, untilMs: 2_000, notes: [] },
];

/** Bars of faults are of one height, below the leaders. */
function barsOf({ boxes }: DrawnPage): readonly DrawnBox[] {
	return boxes.filter(({ top, bottom }) => bottom - top === 12 && top > 22);
}
