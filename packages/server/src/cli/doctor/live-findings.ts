/** What follows from the answers of members that run. */
import { enumerate, type Finding, majorityOf, note, ok, problem, type Trouble, unseen } from "./finding.ts";
import type { LiveState, SeenMember } from "./observations.ts";

/** Entries that a member may be behind while it works. */
const BEHIND_MAX = 1_000;
const SPACE_PART = 0.85;
const VOTERS_ADVISED = 7;

interface Live {
	readonly endpoint: string;
	readonly state: LiveState;
}

export function diagnoseLive(members: readonly SeenMember[]): { readonly findings: readonly Finding[]; readonly next: readonly string[] } {
	if (members.length === 0) return { findings: [], next: [] };
	const live = members.filter((one) => one.kind === "live");
	const findings: Finding[] = members
		.filter((one) => one.kind === "silent")
		.map(({ endpoint, error }) => problem(`${endpoint} does not answer: ${error}.`, "silent"));
	for (const one of members) if (one.kind === "shut") findings.push(problem(`${one.endpoint} could not be asked: ${one.reason}.`, "shut"));
	if (live.length === 0) return { findings, next: adviceWithoutAnswers(findings) };
	findings.push(...oneCluster(live), ...leadership(live), ...majority(live), ...membership(live), ...state(live), ...space(live));
	return { findings, next: advice(findings) };
}

function adviceWithoutAnswers(findings: readonly Finding[]): string[] {
	const next = findings.some(({ trouble }) => trouble === "shut") ? [ASK_AGAIN] : [];
	if (findings.some(({ trouble }) => trouble === "silent"))
		next.push("Start the members. If they refuse, their logs say why; name their data folders with --data-dir and ask again.");
	return next;
}

const ASK_AGAIN = "Ask again with what is named above: whether a member that could not be asked is well, nobody has seen.";

function oneCluster(live: readonly Live[]): Finding[] {
	const ids = [...new Set(live.map(({ state: { clusterId } }) => clusterId))];
	if (ids.length === 1) return [];
	const evidence = live.map(({ endpoint, state: { clusterId } }) => `${endpoint} is of cluster ${clusterId}`);
	return [problem(`The endpoints are not of one cluster: ${enumerate(evidence)}.`)];
}

function leadership(live: readonly Live[]): Finding[] {
	const findings: Finding[] = [];
	for (const {
		endpoint,
		state: { leader, term },
	} of live) {
		if (leader === "0")
			findings.push(problem(`${endpoint} knows no leader (term ${term}): it takes no writes and answers no confirmed reads.`));
	}
	const byTerm = new Map<number, Map<string, string[]>>();
	for (const {
		endpoint,
		state: { leader, term },
	} of live) {
		if (leader === "0") continue;
		const leaders = byTerm.get(term) ?? new Map<string, string[]>();
		leaders.set(leader, [...(leaders.get(leader) ?? []), endpoint]);
		byTerm.set(term, leaders);
	}
	for (const [term, leaders] of byTerm) {
		if (leaders.size < 2) continue;
		const evidence = [...leaders].map(([leader, endpoints]) => `${enumerate(endpoints)} follow ${leader}`);
		findings.push(problem(`Two leaders in one term (${term}), which must never be: ${enumerate(evidence)}.`));
	}
	if (findings.length === 0) findings.push(whoLeads(byTerm, live));
	return findings;
}

/** `byTerm`: who follows whom in which term; one leader in each. */
function whoLeads(byTerm: ReadonlyMap<number, ReadonlyMap<string, readonly string[]>>, live: readonly Live[]): Finding {
	const said = [...byTerm]
		.sort(([one], [other]) => other - one)
		.flatMap(([term, leaders]) => [...leaders].map(([leader, endpoints]) => ({ term, leader, endpoints })));
	const [newest] = said;
	if (newest !== undefined && said.length === 1)
		return ok(`${nameOf(newest.leader, live)} leads in term ${newest.term}, and all who answered say so.`);
	const evidence = said.map(({ term, leader, endpoints }) => `${nameOf(leader, live)} of term ${term} (${enumerate(endpoints)})`);
	return note(`Not all who answered name the same leader and term: ${evidence.join("; ")}. After an election that is so for a moment.`);
}

function majority(live: readonly Live[]): Finding[] {
	const { members } = newest(live);
	const voters = members.filter(({ learner }) => !learner);
	const answered = voters.filter(({ id }) => live.some(({ state: { memberId } }) => memberId === id));
	const [have, need] = [answered.length, majorityOf(voters.length)];
	const missing = voters.filter((voter) => !answered.includes(voter)).map(({ id }) => nameOf(id, live));
	if (missing.length === 0)
		return [ok(`All ${voters.length} voters answer; ${have - need} of them may be lost without a loss of service.`)];
	const evidence = `${have} of ${voters.length} voters answered, ${need} are needed; not heard of: ${enumerate(missing)}`;
	if (have >= need) return [note(`Some voters were not heard of, or not asked (${evidence}). ${have - need} more may be lost.`)];
	return [problem(`No majority answered (${evidence}).`, "noMajority")];
}

function membership(live: readonly Live[]): Finding[] {
	const findings: Finding[] = [];
	const { members } = newest(live);
	for (const { id, name, clientUrls } of members) {
		if (name === "" && clientUrls.length === 0)
			findings.push(problem(`Member ${id} was added and never started: it counts, and does nothing.`, "neverStarted"));
	}
	for (const {
		endpoint,
		state: { memberId },
	} of live) {
		if (!members.some(({ id }) => id === memberId)) findings.push(problem(`${endpoint} (member ${memberId}) is not in the member list.`));
	}
	const voters = members.filter(({ learner }) => !learner).length;
	if (voters > VOTERS_ADVISED) findings.push(note(`${voters} voters: each write waits for a majority of them.`));
	else if (voters % 2 === 0) findings.push(note(`${voters} voters survive no more losses than ${voters - 1} do.`));
	return findings;
}

function state(live: readonly Live[]): Finding[] {
	const findings: Finding[] = [];
	const head = Math.max(...live.map(({ state: { index } }) => index));
	for (const {
		endpoint,
		state: { applied },
	} of live) {
		if (head - applied > BEHIND_MAX)
			findings.push(problem(`${endpoint} is ${head - applied} entries behind (applied ${applied}, newest ${head}).`));
	}
	const hashes = live.flatMap(({ endpoint, state: { hash } }) => (hash === null ? [] : [{ endpoint, ...hash }]));
	// Only what was hashed from the same compaction on may be compared.
	const groups = new Map<number, typeof hashes>();
	for (const hash of hashes) groups.set(hash.compactRevision, [...(groups.get(hash.compactRevision) ?? []), hash]);
	findings.push(...unseenHashes(live, [...groups.values()]));
	for (const group of groups.values()) {
		const values = new Set(group.map(({ value }) => value));
		const [first] = group;
		if (first === undefined || group.length < 2) continue;
		if (values.size === 1)
			findings.push(ok(`${group.length} members hold the same keys at revision ${first.revision} (hash ${first.value}).`));
		else {
			const evidence = group.map(({ endpoint, value }) => `${endpoint} has ${value}`);
			findings.push(
				problem(`The members hold different keys at revision ${first.revision}: by their hashes, ${enumerate(evidence)}.`, "differs"),
			);
		}
	}
	return findings;
}

/** `groups`: the hashes that may be compared with each other. */
function unseenHashes(live: readonly Live[], groups: ReadonlyArray<readonly Live["state"]["hash"][]>): Finding[] {
	const question = "Whether the members hold the same keys was not looked at";
	const refused = live.filter(({ state: { noHashBecause } }) => noHashBecause !== null);
	if (refused.length > 0) {
		const reasons = [...new Set(refused.map(({ state: { noHashBecause } }) => noHashBecause))].join("; ");
		const who = enumerate(refused.map(({ endpoint }) => endpoint));
		const root = reasons.includes("permission denied") ? " That takes a user with the role root (--user)." : "";
		return [unseen(`${question}: no hash of them came from ${who} (${reasons}).${root}`)];
	}
	if (groups.length < 2) return [];
	return [unseen(`${question} whole: a compaction is under way, and not all of them hashed from the same one on. Ask again.`)];
}

function space(live: readonly Live[]): Finding[] {
	const findings: Finding[] = [];
	for (const {
		endpoint,
		state: { errors, sizeBytes, quotaBytes },
	} of live) {
		for (const error of errors) findings.push(problem(`${endpoint} says: ${error}.`, troubleOf(error)));
		if (quotaBytes > 0 && sizeBytes > SPACE_PART * quotaBytes) {
			findings.push(
				problem(`${endpoint} uses ${sizeBytes} of ${quotaBytes} bytes of its quota: at the end it takes no more writes.`, "noSpace"),
			);
		}
	}
	return findings;
}

function advice(findings: readonly Finding[]): string[] {
	const next: string[] = findings.some(({ trouble }) => trouble === "shut") ? [ASK_AGAIN] : [];
	const has = (trouble: Trouble): boolean => findings.some((finding) => finding.trouble === trouble);
	if (has("noMajority")) {
		next.push("Start the members that do not answer: with a majority the cluster goes on by itself, and nothing is lost.");
		next.push("If their disks are lost, name all data folders that are left with --data-dir, and the members stopped.");
	} else if (has("silent")) {
		next.push(
			"Start the member that does not answer. If its data folder is lost, remove it (etcdctl member remove) and add it anew with an empty one.",
		);
	}
	if (has("noSpace")) {
		next.push("Compact (etcdctl compact), delete keys or raise --quota-backend-bytes; then etcdctl alarm disarm.");
	}
	if (has("differs")) {
		next.push(
			"Stop writing. Keep the folder of the member that differs from the majority; remove it and add it anew with an empty data folder.",
		);
	}
	if (has("neverStarted")) next.push("Start the member that was added, or take it away again (etcdctl member remove).");
	return next;
}

/** Status tells alarms by name. */
function troubleOf(error: string): Trouble | undefined {
	if (error.includes("NOSPACE")) return "noSpace";
	return error.includes("CORRUPT") ? "differs" : undefined;
}

/** The view of the one that has applied the most. */
function newest(live: readonly Live[]): LiveState {
	return live.map(({ state }) => state).reduce((best, other) => (other.applied > best.applied ? other : best));
}

function nameOf(id: string, live: readonly Live[]): string {
	const name = newest(live).members.find((member) => member.id === id)?.name ?? "";
	return name === "" ? `member ${id}` : `${name} (${id})`;
}
