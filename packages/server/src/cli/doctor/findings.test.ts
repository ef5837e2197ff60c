import { describe, expect, test } from "vitest";
import { diagnose, verdictOf } from "./findings.ts";
import type { FolderState, LiveState, SeenFolder, SeenMember } from "./observations.ts";

const MEMBERS = ["1", "2", "3"].map((id) => ({ id, name: `m${id}`, learner: false, clientUrls: [`http://m${id}`] }));

function live(id: string, change: Partial<LiveState> = {}): SeenMember {
	const hash = { revision: 9, compactRevision: -1, value: 77 };
	const state: LiveState = {
		...{ clusterId: "c", memberId: id, leader: "1", term: 4, index: 100, applied: 100, revision: 9, learner: false },
		...{ sizeBytes: 10, quotaBytes: 1_000, errors: [], members: MEMBERS, hash, noHashBecause: null },
		...change,
	};
	return { kind: "live", endpoint: `m${id}:2379`, state };
}
const silent = (id: string): SeenMember => ({ kind: "silent", endpoint: `m${id}:2379`, error: "connection refused" });

function dead(id: string, change: Partial<FolderState> = {}): SeenFolder {
	const state: FolderState = {
		...{
			clusterId: "c",
			memberId: id,
			cleanStop: false,
			tornBytes: 0,
			damagedVoteSlot: false,
			rebuiltBecause: null,
			addressesFault: null,
			floorIndex: 1,
			commit: 90,
		},
		...{ lastIndex: 100, lastTerm: 4, voters: ["1", "2", "3"], learners: [], names: { "1": "one", "2": "two", "3": "three" } },
		terms: [
			[1, 1],
			[50, 4],
		],
		...change,
	};
	return { kind: "dead", dataDir: `/data/${id}`, state };
}

const problems = (members: readonly SeenMember[], folders: readonly SeenFolder[] = []): readonly string[] =>
	diagnose({ members, folders }).findings.flatMap(({ severity, text }) => (severity === "problem" ? [text] : []));

describe("members that run", () => {
	test("that are well: everything that was looked at is said, nothing is wrong, nothing is to be done", () => {
		const diagnosis = diagnose({ members: [live("1"), live("2"), live("3")], folders: [] });
		expect(verdictOf(diagnosis)).toBe("healthy");
		expect(diagnosis.findings.map(({ text }) => text)).toEqual([
			"m1 (1) leads in term 4, and all who answered say so.",
			"All 3 voters answer; 1 of them may be lost without a loss of service.",
			"3 members hold the same keys at revision 9 (hash 77).",
		]);
		expect(diagnosis.next).toEqual([]);
	});

	test.each<[string, readonly SeenMember[], string, string]>([
		[
			"one that is silent",
			[live("1"), live("2"), silent("3")],
			"m3:2379 does not answer: connection refused.",
			"Start the member that does not answer",
		],
		[
			"a majority that is silent",
			[live("1", { leader: "0" }), silent("2"), silent("3")],
			"No majority answered (1 of 3 voters answered, 2 are needed; not heard of: m2 (2) and m3 (3)).",
			"--data-dir",
		],
		[
			"nobody who leads",
			[live("1", { leader: "0" }), live("2"), live("3")],
			"m1:2379 knows no leader (term 4): it takes no writes and answers no confirmed reads.",
			"",
		],
		[
			"two leaders in one term",
			[live("1"), live("2", { leader: "2" }), live("3")],
			"Two leaders in one term (4), which must never be: m1:2379 and m3:2379 follow 1 and m2:2379 follow 2.",
			"",
		],
		[
			"two clusters",
			[live("1"), live("2"), live("3", { clusterId: "d" })],
			"The endpoints are not of one cluster: m1:2379 is of cluster c, m2:2379 is of cluster c and m3:2379 is of cluster d.",
			"",
		],
		[
			"one that fell behind",
			[live("1", { index: 9_000, applied: 9_000 }), live("2", { applied: 8_999 }), live("3")],
			"m3:2379 is 8900 entries behind (applied 100, newest 9000).",
			"",
		],
		[
			"another content",
			[live("1"), live("2"), live("3", { hash: { revision: 9, compactRevision: -1, value: 78 } })],
			"The members hold different keys at revision 9: by their hashes, m1:2379 has 77, m2:2379 has 77 and m3:2379 has 78.",
			"Stop writing",
		],
		["an alarm", [live("1", { errors: ["alarm:NOSPACE"] }), live("2"), live("3")], "m1:2379 says: alarm:NOSPACE.", "disarm"],
		[
			"little space",
			[live("1"), live("2", { sizeBytes: 900 }), live("3")],
			"m2:2379 uses 900 of 1000 bytes of its quota: at the end it takes no more writes.",
			"Compact",
		],
	])("%s: it is named, with its evidence, and what to do", (_what, members, text, next) => {
		expect(problems(members)).toContain(text);
		expect(diagnose({ members, folders: [] }).next.join(" ")).toContain(next);
	});

	test("a member that never started, and hashes of other compactions, which prove nothing", () => {
		const members = [...MEMBERS, { id: "4", name: "", learner: true, clientUrls: [] }];
		const hash = { revision: 9, compactRevision: 5, value: 1 };
		const seen = [live("1", { members }), live("2", { members, hash }), live("3", { members, hash: null })];
		expect(problems(seen)).toEqual(["Member 4 was added and never started: it counts, and does nothing."]);
	});

	test.each([
		[
			"a user without the right to a hash",
			{ hash: null, noHashBecause: "etcdserver: permission denied" },
			"Whether the members hold the same keys was not looked at: no hash of them came from m2:2379 (etcdserver: permission denied). That takes a user with the role root (--user).",
		],
		[
			"a hash that did not come",
			{ hash: null, noHashBecause: "Deadline exceeded" },
			"Whether the members hold the same keys was not looked at: no hash of them came from m2:2379 (Deadline exceeded).",
		],
		[
			"hashes of two compactions",
			{ hash: { revision: 9, compactRevision: 5, value: 1 } },
			"Whether the members hold the same keys was not looked at whole: a compaction is under way, and not all of them hashed from the same one on. Ask again.",
		],
	] as const)("what could not be looked at is said, with the reason, and is not called well: %s", (_what, change, text) => {
		const diagnosis = diagnose({ members: [live("1"), live("2", change), live("3")], folders: [] });
		expect(diagnosis.findings).toContainEqual({ severity: "unseen", text });
		expect(verdictOf(diagnosis)).toBe("unknown");
	});

	test("one that lets nobody in is not told to be started, and is not lost", () => {
		const shut = (id: string): SeenMember => ({ kind: "shut", endpoint: `m${id}:2379`, reason: "name a certificate" });
		const alone = diagnose({ members: [shut("1")], folders: [] });
		expect(alone.findings).toEqual([{ severity: "problem", text: "m1:2379 could not be asked: name a certificate.", trouble: "shut" }]);
		expect(alone.next).toEqual([expect.stringMatching(/^Ask again with what is named above/)]);
		expect(diagnose({ members: [shut("1"), live("2"), live("3")], folders: [] }).next[0]).toMatch(/^Ask again/);
		const { quorumLost, findings } = diagnose({ members: [shut("1"), shut("2")], folders: [dead("3")] });
		expect(quorumLost).toBe(false);
		expect(findings).toContainEqual({
			severity: "unseen",
			text: "Whether the quorum is lost (1 of 3 voters are known to be there, 2 are needed, not heard of: one (1) and two (2)): m1:2379 and m2:2379 could not be asked.",
		});
	});

	test.each([
		["another leader before", { leader: "2", term: 4 }, "m1 (1) of term 5 (m1:2379 and m3:2379); m2 (2) of term 4 (m2:2379)"],
		["the same one before", { term: 4 }, "m1 (1) of term 5 (m1:2379 and m3:2379); m1 (1) of term 4 (m2:2379)"],
	] as const)("terms that differ are no two leaders, but not all say the same: %s", (_what, change, evidence) => {
		const seen = [live("1", { term: 5 }), live("2", change), live("3", { term: 5 })];
		expect(problems(seen)).toEqual([]);
		const [first] = diagnose({ members: seen, folders: [] }).findings;
		expect(first).toEqual({
			severity: "note",
			text: `Not all who answered name the same leader and term: ${evidence}. After an election that is so for a moment.`,
		});
	});
});

describe("data folders", () => {
	test("with a damaged slot of the vote file: explained by a crash, and by nothing after a clean stop", () => {
		const told = (cleanStop: boolean): readonly string[] =>
			diagnose({ members: [], folders: [dead("1", { damagedVoteSlot: true, cleanStop }), dead("2"), dead("3")] }).findings.flatMap(
				({ severity, text }) => (text.includes("slots of member/vote") ? [`${severity} ${text}`] : []),
			);
		expect(told(false)).toEqual([expect.stringMatching(/^note \/data\/1: .* A crash while it was written explains it\.$/)]);
		expect(told(true)).toEqual([expect.stringMatching(/^problem \/data\/1: .* something changed it since, so look at the disk\.$/)]);
	});

	test("with a file of addresses that is not believed: named, as nothing of it is ever half written", () => {
		const told = (addressesFault: string | null): readonly string[] => problems([], [dead("1", { addressesFault }), dead("2"), dead("3")]);
		expect(told("it is damaged")).toEqual([
			expect.stringMatching(/^\/data\/1: the file member\/addresses is not believed: it is damaged\. /),
		]);
		expect(told(null)).toEqual([]);
	});

	test("of a majority: nothing acknowledged is lost, whoever holds the most is named, and no rescue is needed", () => {
		const folders = [dead("1", { lastIndex: 99 }), dead("2")];
		const { findings, best, quorumLost, next } = diagnose({ members: [], folders });
		expect([best, quorumLost]).toEqual(["/data/2", false]);
		const texts = findings.map(({ text }) => text);
		expect(texts).toContain("two (2) holds the most: it ends at entry 100 of term 4; one (1) ends at entry 99 of term 4.");
		expect(texts).toContain("2 of 3 voters are there, 2 are needed; missing: three (3): nothing that was acknowledged is lost.");
		expect(next[0]).toContain("no rescue is needed");
	});

	test("a later term beats a longer log", () => {
		const folders = [
			dead("1", { lastIndex: 500, lastTerm: 3, terms: [[1, 3]] }),
			dead("2", {
				lastIndex: 100,
				lastTerm: 4,
				terms: [
					[1, 3],
					[100, 4],
				],
			}),
		];
		const { best, findings } = diagnose({ members: [], folders });
		expect(best).toBe("/data/2");
		expect(findings.map(({ text }) => text)).toContain(
			"one (1) holds 401 entries after 99 that two (2) has otherwise or not at all; they were never known to be committed.",
		);
	});

	test("two histories that were both acknowledged are a problem", () => {
		const folders = [
			dead("1", {
				lastIndex: 120,
				commit: 110,
				terms: [
					[1, 1],
					[100, 3],
				],
				lastTerm: 3,
			}),
			dead("2", {
				lastIndex: 105,
				terms: [
					[1, 1],
					[100, 4],
				],
			}),
		];
		expect(problems([], folders)).toContain(
			"one (1) holds 21 entries after 99 that two (2) has otherwise or not at all, and knows 11 of them to be committed: two histories were acknowledged.",
		);
		const { findings, next } = diagnose({ members: [], folders });
		expect(findings.map(({ text }) => text).join(" ")).not.toContain("nothing that was acknowledged is lost");
		expect(next.join(" ")).not.toContain("no rescue is needed");
		expect(next.join(" ")).toContain("start the one of /data/1 with --force-new-cluster");
	});

	test("less than a majority: what is missing, what could be lost, and the rescue", () => {
		const { findings, quorumLost, best, next } = diagnose({ members: [silent("2")], folders: [dead("1")] });
		expect([best, quorumLost]).toEqual(["/data/1", true]);
		const texts = findings.map(({ text }) => text);
		expect(texts).toContain("The quorum is lost: 1 of 3 voters are there, 2 are needed; missing: three (3) and two (2).");
		expect(texts).toContain(
			"What could be lost: every write after entry 100 that three (3) and two (2) acknowledged without one (1). How many, only their folders tell.",
		);
		expect(texts).toContain("10 entries at the end of its log it never knew to be committed; a rescue keeps them.");
		expect(next.join(" ")).toContain("--force-new-cluster");
	});

	test("members that run count for the majority", () => {
		expect(diagnose({ members: [live("2", { leader: "0" })], folders: [dead("1")] }).quorumLost).toBe(false);
		expect(
			diagnose({ members: [], folders: [dead("1"), { kind: "running", dataDir: "/data/3", memberId: "3", evidence: "x" }] }).quorumLost,
		).toBe(false);
	});

	test("that cannot be used are named; of several clusters nothing is concluded", () => {
		const refused: SeenFolder = {
			kind: "refused",
			dataDir: "/data/1",
			clusterId: "c",
			memberId: "1",
			reason: "Cannot start (logDamaged): x.",
		};
		const unreadable: SeenFolder = { kind: "unreadable", dataDir: "/data/2", reason: "it is empty" };
		expect(problems([], [refused, unreadable])).toEqual([
			"/data/1: member 1 would not start. Cannot start (logDamaged): x.",
			"/data/2: it is empty.",
		]);
		expect(diagnose({ members: [], folders: [refused] }).next[0]).toContain("snapshot restore");
		const two = diagnose({ members: [], folders: [dead("1"), dead("2", { clusterId: "d" })] });
		expect([two.best, two.quorumLost, verdictOf(two)]).toEqual([null, false, "wrong"]);
		expect(problems([], [dead("4"), dead("2")])[0]).toContain("It is not a member by the newest configuration it knows.");
	});
});
