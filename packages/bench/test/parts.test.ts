/** The parts of the tool that need no server. */
import { etcdserverpb } from "@flotilla/api";
import { describe, expect, test } from "vitest";
import { readBenchCall } from "../src/cli/options.ts";
import { type ComparedValue, goalMet, median } from "../src/compare/comparison.ts";
import { read } from "../src/compare/h2load.ts";
import { checkH2load } from "../src/compare/measure-row.ts";
import { ROWS } from "../src/compare/rows.ts";
import { requestsOf } from "../src/load/requests.ts";
import type { RunResult } from "../src/load/run.ts";
import { DEFAULT_SETTINGS } from "../src/load/settings.ts";
import { countEvents, visitValues } from "../src/load/watch-response.ts";
import { isClientBound, OwnLoadWatch } from "../src/measure/own-load.ts";
import { Recorder } from "../src/measure/recorder.ts";
import { chart } from "../src/report/chart.ts";
import { loadPage } from "../src/report/page.ts";
import { kneeOf, sweepClients } from "../src/report/sweep.ts";
import { summaryLines, sweepLines } from "../src/report/text.ts";
import { stagesOf } from "../src/tap/stages.ts";

type Line = Parameters<typeof stagesOf>[0][number];

const LATENCY = { count: 1, minUs: 1, meanUs: 1, p50Us: 1, p90Us: 1, p99Us: 1, p999Us: 1, maxUs: 1 };
const result = (clientBound: boolean, startedMs = 0): RunResult => ({
	...{ settings: DEFAULT_SETTINGS, endpoints: [], startedMs, operations: 1, seconds: 1, perSecond: 1, failed: 0, failures: {} },
	...{
		latency: LATENCY,
		points: [],
		revisionMoved: 1,
		doubt: null,
		client: { cpuShare: 1, loopShare: clientBound ? 0.95 : 0.5, clientBound },
	},
});

describe("requests", () => {
	const settings = { ...DEFAULT_SETTINGS, keyBytes: 6, valueBytes: 20, keys: 1_000 };

	test("each call has the key of its turn, and everything else as it was asked for", () => {
		const next = requestsOf(settings);
		const keys = [0, 7, 999, 1_000, 1_234].map((n) => {
			const { path, message } = next(n);
			const { key, value, lease } = etcdserverpb.PutRequest.decode(message);
			expect([path, value.length, lease]).toEqual(["/etcdserverpb.KV/Put", 20, 0n]);
			return Buffer.from(key).toString();
		});
		expect(keys).toEqual(["000000", "000007", "000999", "000000", "000234"]);
	});

	test("a range is serializable only when that was asked for", () => {
		for (const serializable of [false, true]) {
			const { message } = requestsOf({ ...settings, load: "range", serializable })(3);
			expect(etcdserverpb.RangeRequest.decode(message)).toMatchObject({ serializable, limit: 0 });
		}
	});

	test("a mixture has its share of reads in every hundred", () => {
		const next = requestsOf({ ...settings, load: "mixed", readShare: 0.8 });
		for (let from = 0; from < 1_000; from += 100) {
			const reads = Array.from({ length: 100 }, (_, n) => next(from + n).path).filter((path) => path.endsWith("Range"));
			expect(reads).toHaveLength(80);
		}
	});

	test("a transaction compares and puts the same key", () => {
		const { path, message } = requestsOf({ ...settings, load: "txn" })(42);
		const txn = etcdserverpb.TxnRequest.decode(message);
		expect(path).toBe("/etcdserverpb.KV/Txn");
		expect(Buffer.from(txn.compare[0]?.key ?? []).toString()).toBe("000042");
		const put = txn.success[0]?.request?.value as { key: Uint8Array };
		expect(Buffer.from(put.key).toString()).toBe("000042");
	});
});

describe("figures", () => {
	test("percentiles, seconds and failures; the warm-up is in no total", () => {
		const recorder = new Recorder();
		recorder.beginSeconds(5_000);
		recorder.took(500);
		expect(recorder.endSecond(6_000, true)).toMatchObject({ atMs: 5_000, lengthMs: 1_000, operations: 1, warmUp: true });
		recorder.beginMeasuring();
		for (let ms = 1; ms <= 1_000; ms++) recorder.took(ms);
		recorder.failure("refused");
		recorder.failure("refused");
		const point = recorder.endSecond(7_500, false);
		expect(point).toMatchObject({ operations: 1_000, failures: 2, lengthMs: 1_500, warmUp: false });
		recorder.endMeasuring();
		recorder.took(60_000);
		const { latency } = recorder;
		expect(latency.count).toBe(1_000);
		for (const [found, wanted] of [
			[latency.p50Us, 500_000],
			[latency.p99Us, 990_000],
			[latency.p999Us, 999_000],
			[latency.maxUs, 1_000_000],
			[point.p90Us, 900_000],
		] as const) {
			expect(Math.abs(found - wanted) / wanted).toBeLessThan(0.002);
		}
		expect([recorder.operations, recorder.failedCount, [...recorder.failures]]).toEqual([1_000, 2, [["refused", 2]]]);
	});

	test("a run without an answer has zeros, not nothing", () => {
		expect(new Recorder().latency).toEqual({ count: 0, minUs: 0, meanUs: 0, p50Us: 0, p90Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 });
	});

	test("events of a watch response are counted, and their values found, without decoding it", () => {
		for (const events of [0, 1, 3, 200]) {
			const message = etcdserverpb.WatchResponse.encode({
				header: { clusterId: 2n ** 63n, memberId: 5n, revision: 2 ** 40, raftTerm: 3 },
				watchId: 300n,
				cancelReason: "a reason".repeat(20),
				events: Array.from({ length: events }, (_, n) => ({
					type: n % 2,
					kv: { key: Buffer.alloc(n), createRevision: n, modRevision: 2 ** 33, version: 1, value: Buffer.alloc(300, n), lease: 0n },
					prevKv: null,
				})),
			});
			const padded = Buffer.concat([Buffer.alloc(7, 0x5a), message]);
			expect(countEvents(padded, 7, padded.length)).toBe(events);
			const values: Buffer[] = [];
			visitValues(padded, 7, padded.length, (at, length) => values.push(padded.subarray(at, at + length)));
			expect(values).toEqual(Array.from({ length: events }, (_, n) => Buffer.alloc(300, n)));
		}
	});

	test("the knee is where more clients stop to buy throughput", () => {
		const step = (perSecond: number, p50Us: number): Parameters<typeof kneeOf>[0][number] =>
			({ clients: 0, result: { perSecond, latency: { p50Us } } }) as never;
		expect(kneeOf([step(1_000, 900), step(1_900, 1_000), step(3_400, 1_100), step(3_600, 2_200), step(3_650, 4_400)])).toBe(2);
		expect(kneeOf([step(0, 0), step(0, 0)])).toBe(0);
		expect([sweepClients(1), sweepClients(8), sweepClients(10)]).toEqual([[1], [1, 2, 4, 8], [1, 2, 4, 8, 10]]);
	});
});

describe("a generator that is the limit itself", () => {
	test("is seen by how much of the time its loop is at work", async () => {
		const busy = new OwnLoadWatch();
		const untilMs = performance.now() + 200;
		while (performance.now() < untilMs);
		expect(busy.look().loopShare).toBeGreaterThan(0.9);
		const idle = new OwnLoadWatch();
		await new Promise((resolve) => setTimeout(resolve, 200));
		expect(idle.look().cpuShare).toBeLessThan(0.9);
	});

	test("is told from one that waits for a processor, which others have", () => {
		expect([isClientBound(0.95, 0.99), isClientBound(0.6, 0.95), isClientBound(0.18, 0.99), isClientBound(0.95, 0.7)]).toEqual([
			true,
			true,
			false,
			false,
		]);
	});

	test("says so, in every form of a report; one that is not says nothing of it", () => {
		const bound = "its loop 95 % busy: CLIENT-BOUND, the server may be faster than this";
		expect(summaryLines(result(true)).join("\n")).toContain(bound);
		expect(summaryLines(result(false)).join("\n")).not.toMatch(/client-bound/i);
		const sweep = { steps: [true, false].map((is, at) => ({ clients: 1 << at, result: result(is) })), knee: 0 };
		expect(sweepLines(sweep).map((line) => line.includes("client-bound"))).toEqual([true, false]);
		const page = (is: boolean): string =>
			loadPage({ tool: "flotilla bench", version: 1, server: "3", runs: [result(is)], knee: null, stages: null, events: [] });
		expect(page(true)).toContain("client-bound: the load generator itself was busy all the time");
		expect(page(false).replace(/<script type="application\/json"[\s\S]*<\/script>/, "")).not.toMatch(/client-bound/i);
	});
});

describe("stages of a write", () => {
	const line = (name: string, atUs: number, index: number, fields: object = {}): Line =>
		({ sequence: 0, name, monotonicNs: atUs * 1_000, wallMs: 0, member: "a", term: 1, index, fields }) as Line;

	test("are taken from what follows each batch", () => {
		const stages = stagesOf([
			line("logAppended", 100, 7, { entries: 3, queuedMs: 0.05, appendMs: 0.02 }),
			// Of others: nobody waits for it here.
			line("logAppended", 150, 8, { entries: 1, queuedMs: 0, appendMs: 0.01 }),
			line("peerDurable", 700, 7),
			line("walSynced", 900, 7),
			// The slower one changes nothing any more.
			line("peerDurable", 950, 8),
			line("commitAdvanced", 1_100, 8),
			line("applied", 1_150, 8),
			line("answered", 1_160, 0, { calls: 3 }),
			line("answered", 9_000, 0, { calls: 1 }),
		]);
		expect(stages).toMatchObject({ batches: 1, entriesABatch: 3 });
		const p50 = Object.fromEntries((stages?.stages ?? []).map(({ name, p50Us }) => [name, Math.round(p50Us)]));
		expect(p50).toEqual({ queue: 50, append: 20, fsync: 800, replicate: 600, commit: 400, apply: 50, respond: 10, whole: 1_130 });
	});

	test("of a member alone: its own log decides, and nobody is waited for", () => {
		const stages = stagesOf([
			line("logAppended", 100, 7, { entries: 1, queuedMs: 0.05, appendMs: 0.02 }),
			line("walSynced", 900, 7),
			line("commitAdvanced", 910, 7),
			line("applied", 950, 7),
			line("answered", 960, 0, { calls: 1 }),
		]);
		const p50 = Object.fromEntries((stages?.stages ?? []).map(({ name, p50Us }) => [name, Math.round(p50Us)]));
		expect(p50).toEqual({ queue: 50, append: 20, fsync: 800, replicate: 0, commit: 10, apply: 40, respond: 10, whole: 930 });
	});

	test("are nothing where no batch was followed to its end", () => {
		expect(stagesOf([line("logAppended", 1, 7, { entries: 1, queuedMs: 1, appendMs: 1 }), line("walSynced", 2, 7)])).toBe(null);
		expect(stagesOf([])).toBe(null);
	});
});

describe("plots", () => {
	const text = String;
	test("have every point inside, break where there is nothing, and escape what they are told", () => {
		const svg = chart({
			...{ title: "<a & b>", xLabel: "x", xText: text, yText: text, logarithmic: true },
			lines: [
				{
					name: "line",
					style: "c0",
					points: [
						[0, 10],
						[1, 0],
						[2, 1_000],
						[3, 20],
					],
				},
			],
			marks: [{ x: 1.5, text: 'a "mark"', style: "event" }],
			highlight: { x: 2, y: 1_000, text: "knee" },
		});
		expect(svg).not.toMatch(/NaN|Infinity|undefined/);
		expect(svg).toContain("&lt;a &amp; b&gt;");
		expect(svg).toContain("a &quot;mark&quot;");
		const path = /class="line c0" d="([^"]+)"/.exec(svg)?.[1] ?? "";
		expect(path.match(/M/g)).toHaveLength(2);
		for (const [, x, y] of path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)) {
			expect(Number(x)).toBeGreaterThanOrEqual(76);
			expect(Number(x)).toBeLessThanOrEqual(944);
			expect(Number(y)).toBeGreaterThanOrEqual(14);
			expect(Number(y)).toBeLessThanOrEqual(240);
		}
	});

	test("of nothing are nothing, and one point is a dot", () => {
		const options = { title: "t", xLabel: "x", xText: text, yText: text };
		expect(chart({ ...options, lines: [] })).toBe("");
		expect(chart({ ...options, lines: [{ name: "n", style: "c0", points: [[5, 5]] }] })).toContain("<circle");
	});
});

test("events of the cluster are told by their time since the start, and escaped", () => {
	const events = [{ atMs: 2_500, member: "<a>", text: "leads term 3" }];
	const page = loadPage({
		tool: "flotilla bench",
		version: 1,
		server: "3",
		runs: [result(false, 1_000)],
		knee: null,
		stages: null,
		events,
	});
	expect(page).toMatch(/1\.50 s<\/td><td>.*&lt;a&gt; leads term 3/);
});

describe("the command line", () => {
	test.each([
		[[], "what is to be measured?"],
		[["fly"], "fly is no load"],
		[["put", "get"], "too many words: get"],
		[["put", "--clients", "0"], "--clients 0: need a whole number from 1 on"],
		[["put", "--clients", "many"], "--clients many: need a whole number"],
		[["put", "--to", "nobody"], "--to nobody"],
		[["put", "--endpoints", "here"], "not an endpoint: here"],
		[["put", "--keys", "1000", "--key-bytes", "2"], "1000 keys need more than 2 bytes each"],
		[["mixed", "--reads", "1.5"], "--reads 1.5: need a number from 0 to 1"],
		[["put", "--sweep", "--rate", "5"], "--sweep is a closed loop"],
		[["put", "--ahead", "3"], "--ahead does not go with put"],
		[["lease-keepalive", "--sweep"], "--sweep does not go with lease-keepalive"],
		[["put", "--rounds", "3"], "--rounds belongs to compare"],
		[["put", "--with", "tls"], "--with belongs to compare"],
		[["compare", "--with", "plain,fast"], "--with fast: need plain, or auth, tls, metrics"],
		[["compare", "--with", "plain,tls+tls"], "--with tls+tls: need plain"],
		[["compare", "--with", "plain,plain+tls"], "--with plain+tls: need plain"],
		[["compare", "--with", "tls"], "--with tls: need two or more that differ"],
		[["compare", "--with", "auth+tls,plain,tls+auth"], "need two or more that differ"],
		[["compare", "--clients", "3"], "--clients does not belong to compare"],
		[["put", "--nonsense"], "--nonsense"],
		[["put", "--cert", "c.pem"], "--cert and --key go together"],
		[["put", "--user", "ann"], "--user ann needs a password: --password-file FILE, the variable ETCDCTL_PASSWORD, or NAME:PASSWORD"],
	])("%j is refused: %s", (args, problem) => {
		expect(readBenchCall(args, {})).toMatchObject({ kind: "usage", problem: expect.stringContaining(problem) });
	});

	test("endpoints come from the flag, then from etcdctl's variable, then from the default", () => {
		const endpoints = (args: string[], environment: object): unknown =>
			(readBenchCall(["put", ...args], { ...environment }) as { endpoints: unknown }).endpoints;
		expect(endpoints(["--endpoints", "http://a:1,[::1]:2,https://c:3"], { ETCDCTL_ENDPOINTS: "b:1" })).toEqual([
			"a:1",
			"[::1]:2",
			"https://c:3",
		]);
		expect(endpoints([], { ETCDCTL_ENDPOINTS: "b:1,c:2" })).toEqual(["b:1", "c:2"]);
		expect(endpoints([], {})).toEqual(["127.0.0.1:2379"]);
	});
});

describe("comparing", () => {
	const compared = (ratios: number[], goal: number | null, rises: boolean): ComparedValue =>
		({ ratios, flotilla: [], value: { name: "rate", unit: "", rises, goal } }) as unknown as ComparedValue;

	test("a goal is met by the median of the rounds' ratios, in its direction", () => {
		expect(median([3, 1, 2])).toBe(2);
		expect(median([4, 1, 2, 3])).toBe(2.5);
		expect(goalMet(compared([4.1, 3.9, 5], 4, true))).toBe(true);
		expect(goalMet(compared([3.9, 3.8, 5], 4, true))).toBe(false);
		expect(goalMet(compared([0.2, 0.4, 0.25], 0.3, false))).toBe(true);
		expect(goalMet(compared([0.2, 0.4, 0.35], 0.3, false))).toBe(false);
		expect(goalMet(compared([], 4, true))).toBe(null);
		expect(goalMet(compared([1], null, true))).toBe(null);
		const own = { ...compared([5], 0.8, true), flotilla: [0.7, null, 0.9, 0.75] };
		expect(goalMet({ ...own, value: { ...own.value, goalIsOwn: true } })).toBe(false);
		expect(goalMet({ ...own, flotilla: [null, 0.8], value: { ...own.value, goalIsOwn: true } })).toBe(true);
	});

	test("rows have names of their own, and an open loop comes behind the row it takes its pace from", () => {
		const ids = ROWS.map(({ id }) => id);
		expect(new Set(ids).size).toBe(ids.length);
		for (const [at, { measure }] of ROWS.entries()) {
			if (measure.kind === "openLoop") expect(ids.slice(0, at)).toContain(measure.of);
		}
	});

	test("what h2load prints is read, and failures in it are failures", () => {
		const output = (failed: number): string =>
			`finished in 5.00s, 1000.20 req/s, 1MB/s\nrequests: 5001 total, 5001 started, 5000 done, 5000 succeeded, ${failed} failed, 0 errored, 0 timeout\n` +
			"traffic: 332.13KB (340105) total, 97.75KB (100100) headers (space savings 79.00%), 146.48KB (150000) data\n" +
			"                     min         max         mean         sd        +/- sd\ntime for request:      512us     20.50ms      1.00ms       400us    90.00%\n";
		const load = { connections: 1, streams: 1, seconds: 5 };
		expect(read(output(0), load)).toEqual({ answered: 5_000, bodyBytes: 150_000, perSecond: 1_000, meanUs: 1_000, maxUs: 20_500 });
		expect(() => read(output(3), load)).toThrow("3 failed");
		expect(() => read("nothing", load)).toThrow("said something else");
	});

	test("a refusal among h2load's answers is seen, whatever else it says", () => {
		const put = { call: "put", answerBytes: 30, moved: 1_004, atOnce: 32 } as const;
		const range = { ...put, call: "range", moved: 0 } as const;
		const ran = { answered: 1_000, bodyBytes: 30_000 };
		expect(() => checkH2load(ran, put)).not.toThrow();
		expect(() => checkH2load(ran, range)).not.toThrow();
		for (const about of [put, range]) expect(() => checkH2load({ ...ran, bodyBytes: 29_970 }, about)).toThrow("some were refusals");
		expect(() => checkH2load(ran, { ...put, moved: 999 })).toThrow("the revision rose by 999");
		expect(() => checkH2load(ran, { ...put, moved: 1_065 })).toThrow("the revision rose by 1065");
		expect(() => checkH2load(ran, { ...range, moved: 1 })).toThrow("reads have moved the revision");
	});
});
