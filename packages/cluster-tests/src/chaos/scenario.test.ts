import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type DetailTable, flag, who, whole, word } from "./faults/details.ts";
import { faultTable } from "./faults/fault-table.ts";
import { FAULTS } from "./faults/index.ts";
import { type FaultShape, parseScenario } from "./scenario.ts";

const folder = new URL("../../scenarios/", import.meta.url);

const shape = (details: DetailTable, more: Partial<FaultShape> = {}): FaultShape => ({ lasts: true, details, ...more });
const SHAPES: ReadonlyMap<string, FaultShape> = new Map([
	["kill", shape({ who: who("one"), hard: flag, after: whole(5, { min: 1, max: 10, unit: "ms" }), by: word("hand", "clock") })],
	["move", shape({}, { lasts: false, membersMin: 2 })],
	["call", shape({ name: { kind: "text", allowed: "a or b", reads: (text) => text === "a" || text === "b" }, to: { kind: "member" } })],
	["odd", shape({}, { contradiction: ({ members }) => (members % 2 === 1 ? "an odd cluster is odd already" : null) })],
]);
const parse = (text: string) => parseScenario("my/s.yaml", text, SHAPES);
const line = (text: string, head = "title: t") => parse(`${head}\nfaults:\n  - { ${text} }`);

describe("the scenarios that are shipped", () => {
	const files = readdirSync(folder);

	test("are 25 or more", () => expect(files.length).toBeGreaterThanOrEqual(25));

	for (const file of files) {
		test(`${file} can be read`, () => {
			const scenario = parseScenario(file, readFileSync(new URL(file, folder), "utf8"), FAULTS);
			expect(`${scenario.name}.yaml`).toBe(file);
		});
	}
});

test("docs/chaos.md tells of every fault what it declares", () => {
	const page = readFileSync(new URL("../../../../docs/chaos.md", import.meta.url), "utf8");
	// Where this fails the table below is what the page has to hold.
	expect(page).toContain(faultTable(FAULTS));
});

describe("a scenario", () => {
	test("has defaults for all but its title", () => {
		expect(parse("title: t")).toMatchObject({ name: "s", members: 3, seconds: 30, clients: 12, timeoutMs: 3_000, faults: [] });
	});

	test("gives a fault all that it declares, and knows what the line says itself", () => {
		expect(line("fault: kill, who: m2, every: 1s..2s, for: 300ms").faults).toEqual([
			{
				fault: "kill",
				at: null,
				every: { minMs: 1_000, maxMs: 2_000 },
				for: { minMs: 300, maxMs: 300 },
				details: { who: "m2", hard: false, after: 5, by: "hand" },
				given: new Set(["who"]),
			},
		]);
		expect(line("fault: move, at: 3").faults).toMatchObject([{ at: { minMs: 3_000, maxMs: 3_000 }, details: {} }]);
	});

	test("may give a name to a line and use it again", () => {
		const { faults } = parse("title: t\nfaults:\n  - &one { fault: kill, at: 1s }\n  - *one");
		expect(faults.length).toBe(2);
		expect(() => parse("title: t\nfaults:\n  - &one { fault: kill, at: soon }\n  - *one")).toThrow("my/s.yaml, line 3: at of kill");
	});
});

const FIELDS = "title, members, seconds, clients, holders, lockers, keys, timeout, load, tls, log, flags, faults";
const SPAN = "a time or a span such as 500ms, 2s or 1s..4s";
const WHO = "leader, follower, one, minority, majority, all or a member's name from m1 to m3";

describe("is refused by one sentence with file, line, key, value and what is allowed:", () => {
	test.each([
		["- a", "line 1: a scenario is a list of fields: title, members"],
		["title: [", "line 1: this is no YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"],
		["title: t\ntitle: u", "line 2: this is no YAML: Map keys must be unique"],
		["title: !text t", "line 1: this is no YAML: Unresolved tag: !text"],
		["members: 3", "line 1: title is missing; it must be a text of one line, of 200 characters at most"],
		["title: 7", "line 1: title is 7; it must be a text of one line"],
		["title: t\n\nmember: 3", `line 3: there is no field "member"; the fields are ${FIELDS}`],
		["title: t\nmembers: 100", "line 2: members is 100; it must be a whole number from 1 to 9"],
		['title: t\nmembers: "3"', 'line 2: members is "3"; it must be a whole number from 1 to 9'],
		["title: t\nseconds: 3601", "line 2: seconds is 3601; it must be a whole number from 1 to 3600"],
		["title: t\nclients: -1", "line 2: clients is -1; it must be a whole number from 1 to 1000"],
		["title: t\nholders: 2.5", "line 2: holders is 2.5; it must be a whole number from 0 to 1000"],
		["title: t\nlockers: .nan", "line 2: lockers is NaN; it must be a whole number from 0 to 100"],
		["title: t\nkeys: 27", "line 2: keys is 27; it must be a whole number from 1 to 26"],
		["title: t\ntls: yes", 'line 2: tls is "yes"; it must be true or false'],
		["title: t\nlog: shrot", 'line 2: log is "shrot"; it must be long or short'],
		["title: t\ntimeout: 1s..4s", 'line 2: timeout is "1s..4s"; it must be one time such as 3s, from 100ms to 1m'],
		["title: t\ntimeout: 1ms", 'line 2: timeout is "1ms"; it must be one time such as 3s, from 100ms to 1m'],
		["title: t\nload: 3", "line 2: load is 3; it must be weights of put, get"],
		["title: t\nload:\n  put: 1\n  puts: 1", 'line 4: load has no operation "puts"; the operations are put, get, range'],
		["title: t\nload: { put: -1 }", "line 2: put of load is -1; it must be a whole number from 0 to 1000"],
		["title: t\nload: { put: 1001 }", "line 2: put of load is 1001; it must be a whole number from 0 to 1000"],
		["title: t\nload: { put: 0 }", "line 2: load has no weight above 0"],
		["title: t\nflags: --x", 'line 2: flags is "--x"; it must be a list of 100 entries at most'],
		["title: t\nflags:\n  - --x\n  - y", 'line 4: entry 2 of flags is "y"; it must be a text that begins with --'],
		["title: t\nfaults: kill", 'line 2: faults is "kill"; it must be a list of 100 entries at most'],
		["title: t\nfaults:\n  - kill", 'line 3: entry 1 of faults is "kill"; it must be a line such as { fault: kill,'],
		["title: t\nfaults:\n\n  - { at: 1s }", "line 4: entry 1 of faults names no fault; the faults are kill, move, call, odd"],
	])("%j", (text, words) => expect(() => parse(text)).toThrow(`my/s.yaml, ${words}`));

	test.each([
		["fault: burn, at: 1s", 'there is no fault "burn"; the faults are kill, move, call, odd'],
		["fault: kill", "kill has neither at nor every; it must have one of the two"],
		["fault: kill, at: 1s, every: 1s", "kill has both at and every; it must have one of the two"],
		["fault: kill, every: soon", `every of kill is "soon"; it must be ${SPAN}, from 50ms to 60m`],
		["fault: kill, every: 1ms", `every of kill is "1ms"; it must be ${SPAN}, from 50ms to 60m`],
		["fault: kill, at: -1s", `at of kill is "-1s"; it must be ${SPAN}, from 0ms to 60m`],
		["fault: kill, at: -1", `at of kill is -1; it must be ${SPAN}, from 0ms to 60m`],
		["fault: kill, at: 2s..1s", `at of kill is "2s..1s"; it must be ${SPAN}, from 0ms to 60m`],
		["fault: kill, at: 1s, for: 11m", `for of kill is "11m"; it must be ${SPAN}, from 0ms to 10m`],
		["fault: kill, at: 1s, for: true", `for of kill is true; it must be ${SPAN}, from 0ms to 10m`],
		["fault: kill, at: 30s", 'at of kill is "30s", and the faults end after 30 s: it never strikes'],
		["fault: kill, every: 40s..50s", 'every of kill is "40s..50s", and the faults end after 30 s: it never strikes'],
		["fault: kill, at: 1s, whoo: one", 'kill takes no "whoo"; it takes at, every, for, who, hard, after, by'],
		["fault: kill, at: 1s, who: leadr", `who of kill is "leadr"; it must be ${WHO}`],
		["fault: kill, at: 1s, who: m4", `who of kill is "m4"; it must be ${WHO}`],
		["fault: kill, at: 1s, who: 1", `who of kill is 1; it must be ${WHO}`],
		["fault: kill, at: 1s, hard: 1", "hard of kill is 1; it must be true or false"],
		["fault: kill, at: 1s, after: 11", "after of kill is 11; it must be a whole number from 1 to 10 (ms)"],
		['fault: kill, at: 1s, after: "5"', 'after of kill is "5"; it must be a whole number from 1 to 10 (ms)'],
		["fault: kill, at: 1s, by: [hand]", 'by of kill is ["hand"]; it must be hand or clock'],
		["fault: move, at: 1s, for: 1s", 'move takes no "for"; it takes at, every'],
		["fault: call, at: 1s, name: c, to: m1", 'name of call is "c"; it must be a or b'],
		["fault: call, at: 1s, to: m1", "name of call is missing; it must be a or b"],
		["fault: call, at: 1s, name: a, to: all", 'to of call is "all"; it must be a member\'s name from m1 to m3'],
		["fault: odd, at: 1s", "odd never does what this says: an odd cluster is odd already"],
	])("{ %s }", (text, words) => expect(() => line(text)).toThrow(`my/s.yaml, line 3: ${words}`));

	test("a cluster that is too small for it", () => {
		const small = "title: t\nmembers: 1";
		const words = "never does what this says: it needs 2 members, the scenario has 1";
		expect(() => line("fault: move, at: 1s", small)).toThrow(`my/s.yaml, line 4: move ${words}`);
		expect(() => line("fault: kill, who: follower, at: 1s", small)).toThrow(`my/s.yaml, line 4: kill ${words}`);
		expect(() => line("fault: kill, who: m2, at: 1s", small)).toThrow("it must be leader, follower, one, minority, majority, all or m1");
	});

	test("a line of a block, at the key in question", () => {
		expect(() => parse("title: t\nfaults:\n  - fault: kill\n    at: 1s\n    who: nobody")).toThrow("my/s.yaml, line 5: who of kill");
	});

	test("a text of any length", () => {
		expect(() => parse(`title: ${"t".repeat(70_000)}`)).toThrow("my/s.yaml has 70007 characters; a scenario has 65536 at most");
		expect(() => parse(`title: t\ntls: ${"t".repeat(5_000)}`)).toThrow(`tls is "${"t".repeat(59)}...; it must be true or false`);
	});
});

describe("of the faults that there are", () => {
	const real = (text: string, members = 3) =>
		parseScenario("s.yaml", `title: t\nmembers: ${members}\nfaults: [{ ${text}, at: 1s }]`, FAULTS);

	test.each([
		["fault: partition, shape: halfs", 'shape of partition is "halfs"; it must be alone, deaf, mute, halves, bridge or chain'],
		["fault: partition, shape: halves, who: leader", "partition never does what this says: shape halves takes no who, it draws for itself"],
		["fault: flap, period: 1", "period of flap is 1; it must be a whole number from 20 to 60000 (ms)"],
		["fault: slow-links", "slow-links never does what this says: without delay, jitter, loss or rate nothing is slow"],
		["fault: slow-links, loss: 1001", "loss of slow-links is 1001; it must be a whole number from 0 to 1000 (per mille)"],
		["fault: slow-links, los: 10", 'slow-links takes no "los"; it takes at, every, for, who, delay, jitter, loss, rate'],
		["fault: reset, who: one", 'reset takes no "who"; it takes at, every'],
		["fault: clock, seconds: 0", "seconds of clock is 0; it must be a whole number from 1 to 31536000 (s)"],
		["fault: strangers, say: hello", 'say of strangers is "hello"; it must be anything or tls'],
		["fault: rolling-restart, kill: yes", 'kill of rolling-restart is "yes"; it must be true or false'],
		["fault: replace, as: observer", 'as of replace is "observer"; it must be voter or learner'],
		[
			"fault: point, point: wal.beforeLunch, term: panic",
			'point of point is "wal.beforeLunch"; it must be wal.beforeWrite, wal.afterWrite',
		],
		["fault: point, point: wal.beforeWrite, term: painc", 'term of point is "painc"; it must be panic, sleep("500ms") or error("NAME")'],
		["fault: point, point: wal.beforeWrite", 'term of point is missing; it must be panic, sleep("500ms") or error("NAME")'],
	])("{ %s }", (text, words) => expect(() => real(text)).toThrow(`s.yaml, line 3: ${words}`));

	test("shapes need so many members", () => {
		expect(() => real("fault: partition, shape: bridge", 2)).toThrow("shape bridge needs 3 members, the scenario has 2");
		expect(() => real("fault: flap", 1)).toThrow("shape alone needs 2 members, the scenario has 1");
		expect(real("fault: partition, shape: halves", 2).faults.length).toBe(1);
	});
});
