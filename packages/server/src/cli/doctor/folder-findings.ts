/**
 * What follows from data folders. An entry that was acknowledged stands in the logs of a majority; so among any majority of the
 * voters' folders the newest log (last term, then last entry) holds every one of them. Below a majority nobody can tell.
 */
import { enumerate, type Finding, majorityOf, note, ok, problem, unseen } from "./finding.ts";
import type { FolderState, SeenFolder, SeenMember } from "./observations.ts";

interface Dead {
	readonly dataDir: string;
	readonly state: FolderState;
}

export interface FolderDiagnosis {
	readonly findings: readonly Finding[];
	readonly best: string | null;
	readonly quorumLost: boolean;
	readonly next: readonly string[];
}

export function diagnoseFolders(folders: readonly SeenFolder[], members: readonly SeenMember[]): FolderDiagnosis {
	const findings = folders.flatMap(describe);
	const dead = folders.filter((one) => one.kind === "dead");
	const usable = dead.filter(({ state: { voters, memberId, learners } }) => voters.includes(memberId) || learners.includes(memberId));
	const clusters = new Set(usable.map(({ state: { clusterId } }) => clusterId));
	const nobody = { findings, best: null, quorumLost: false, next: [] };
	if (folders.length === 0) return nobody;
	if (clusters.size > 1) {
		findings.push(problem(`The data folders are not of one cluster: ${enumerate([...clusters])}.`));
		return { ...nobody, next: ["Ask again for one cluster at a time."] };
	}
	const best = usable.reduce<Dead | null>((first, other) => (first === null || isNewer(other.state, first.state) ? other : first), null);
	if (best === null) {
		return { ...nobody, next: folders.some(({ kind }) => kind === "refused") ? [RESTORE] : [] };
	}
	findings.push(holdsTheMost(best, usable));
	const forks = usable.flatMap((other) => divergence(best, other));
	findings.push(...forks);
	return conclude(best, usable, folders, members, findings);
}

const RESTORE =
	"No folder that is left can be started by itself. Restore one from a copy, or make a new cluster of a saved state (flotilla snapshot restore).";

function describe(folder: SeenFolder): Finding[] {
	switch (folder.kind) {
		case "unreadable":
			return [problem(`${folder.dataDir}: ${folder.reason}.`)];
		case "running":
			return [
				note(`${folder.dataDir}: member ${folder.memberId} runs from it (${folder.evidence}); name its endpoint (--endpoints) instead.`),
			];
		case "refused":
			return [problem(`${folder.dataDir}: member ${folder.memberId} would not start. ${folder.reason}`)];
		case "dead":
			return [sound(folder), ...voteSlot(folder), ...addresses(folder)];
	}
}

/** The log holds every vote as well, so nothing is lost with a slot; but a program that stops in order leaves both whole. */
function voteSlot({ dataDir, state: { damagedVoteSlot, cleanStop } }: Dead): Finding[] {
	if (!damagedVoteSlot) return [];
	const text = `${dataDir}: one of the two slots of member/vote fails its checksum; a start takes the other one and the log, and writes it anew`;
	return cleanStop
		? [problem(`${text}. It was written whole before the member stopped: something changed it since, so look at the disk.`)]
		: [note(`${text}. A crash while it was written explains it.`)];
}

/** Nothing is lost with it while the store is whole; it is never half written, so something changed it. */
function addresses({ dataDir, state: { addressesFault } }: Dead): Finding[] {
	if (addressesFault === null) return [];
	const text = `${dataDir}: the file member/addresses is not believed: ${addressesFault}`;
	return [problem(`${text}. A start writes it anew; something changed it since it was written, so look at the disk.`)];
}

function sound({ dataDir, state }: Dead): Finding {
	const { memberId, lastIndex, lastTerm, commit, floorIndex, cleanStop, tornBytes, rebuiltBecause, voters, learners } = state;
	const end = `its log ends with entry ${lastIndex} of term ${lastTerm}, known to be committed up to ${commit}, stored up to ${floorIndex}`;
	const how = cleanStop ? "it was stopped cleanly" : "it died";
	const torn = tornBytes === 0 ? "" : `, a write of ${tornBytes} bytes was cut off`;
	const text = `${dataDir}: ${label(state, memberId)} would start; ${end}; ${how}${torn}.`;
	if (!voters.includes(memberId) && !learners.includes(memberId)) {
		return problem(`${text} It is not a member by the newest configuration it knows.`);
	}
	return rebuiltBecause === null ? ok(text) : note(`${text} Its store would be made again from the log (${rebuiltBecause}).`);
}

function holdsTheMost(best: Dead, usable: readonly Dead[]): Finding {
	const behind = usable
		.filter((other) => other !== best)
		.map(({ state }) => `${label(state, state.memberId)} ends at entry ${state.lastIndex} of term ${state.lastTerm}`);
	const { lastIndex, lastTerm, memberId } = best.state;
	const others = behind.length === 0 ? "there is no other" : enumerate(behind);
	return ok(`${label(best.state, memberId)} holds the most: it ends at entry ${lastIndex} of term ${lastTerm}; ${others}.`);
}

/** Entries that the other one holds and the best one does not: an earlier leader wrote them, and no majority took them. */
function divergence(best: Dead, other: Dead): Finding[] {
	if (other === best) return [];
	const from = Math.max(best.state.terms[0]?.[0] ?? 0, other.state.terms[0]?.[0] ?? 0);
	let common = Math.min(best.state.lastIndex, other.state.lastIndex);
	while (common > from && termAt(best.state, common) !== termAt(other.state, common)) common--;
	const lacking = other.state.lastIndex - common;
	if (lacking <= 0) return [];
	const text = `${label(other.state, other.state.memberId)} holds ${lacking} entries after ${common} that ${label(best.state, best.state.memberId)} has otherwise or not at all`;
	return other.state.commit > common
		? [problem(`${text}, and knows ${other.state.commit - common} of them to be committed: two histories were acknowledged.`)]
		: [note(`${text}; they were never known to be committed.`)];
}

function termAt({ terms }: FolderState, index: number): number {
	return terms.findLast(([first]) => first <= index)?.[1] ?? 0;
}

function conclude(
	best: Dead,
	usable: readonly Dead[],
	folders: readonly SeenFolder[],
	members: readonly SeenMember[],
	findings: Finding[],
): FolderDiagnosis {
	const { voters } = best.state;
	const alive = new Set(members.flatMap((one) => (one.kind === "live" ? [one.state.memberId] : [])));
	for (const folder of folders) if (folder.kind === "running") alive.add(folder.memberId);
	const startable = new Set(usable.map(({ state: { memberId } }) => memberId));
	const there = voters.filter((id) => startable.has(id) || alive.has(id));
	const missing = voters.filter((id) => !there.includes(id));
	const need = majorityOf(voters.length);
	const names = enumerate(missing.map((id) => label(best.state, id)).sort());
	if (there.length >= need) {
		const rest = missing.length === 0 ? "" : `; missing: ${names}`;
		const quorum = `${there.length} of ${voters.length} voters are there, ${need} are needed${rest}`;
		const forked = usable.find((other) => divergence(best, other).some(({ severity }) => severity === "problem"));
		if (forked !== undefined) {
			findings.push(
				note(`${quorum}; but what only ${label(forked.state, forked.state.memberId)} knows to be committed they would go on without.`),
			);
			return { findings, best: best.dataDir, quorumLost: false, next: chooseHistory(best, forked) };
		}
		findings.push(ok(`${quorum}: nothing that was acknowledged is lost.`));
		const next = ["Start the members as they are: no rescue is needed."];
		if (missing.length > 0) next.push("Then remove the missing members (etcdctl member remove), and add new ones with empty data folders.");
		return { findings, best: best.dataDir, quorumLost: false, next };
	}
	const shut = members.filter((one) => one.kind === "shut").map(({ endpoint }) => endpoint);
	if (shut.length > 0) {
		const quorum = `${there.length} of ${voters.length} voters are known to be there, ${need} are needed, not heard of: ${names}`;
		findings.push(unseen(`Whether the quorum is lost (${quorum}): ${enumerate(shut)} could not be asked.`));
		return { findings, best: best.dataDir, quorumLost: false, next: [] };
	}
	const uncertain = best.state.lastIndex - best.state.commit;
	findings.push(
		problem(`The quorum is lost: ${there.length} of ${voters.length} voters are there, ${need} are needed; missing: ${names}.`),
		note(
			`What could be lost: every write after entry ${best.state.lastIndex} that ${names} acknowledged without ${label(best.state, best.state.memberId)}. How many, only their folders tell.`,
		),
	);
	if (uncertain > 0) findings.push(note(`${uncertain} entries at the end of its log it never knew to be committed; a rescue keeps them.`));
	return {
		findings,
		best: best.dataDir,
		quorumLost: true,
		next: [
			"Look for the data folders of the missing members first, and ask again with them: with a majority nothing is lost.",
			`Else keep copies of all folders, stop every other member for good, and start the one of ${best.dataDir} with --force-new-cluster (docs/recovery.md).`,
		],
	};
}

/** Only who knows what was written can say which one counts. */
function chooseHistory(best: Dead, other: Dead): string[] {
	return [
		"Keep copies of all folders. Two histories were acknowledged, and a cluster can go on with one of them.",
		`The other members go on with that of ${best.dataDir} when they are started; ${label(other.state, other.state.memberId)} ends then.`,
		`To see the other one, or to go on with it: stop all members for good, and start the one of ${other.dataDir} with --force-new-cluster (docs/recovery.md).`,
	];
}

function isNewer(one: FolderState, other: FolderState): boolean {
	return one.lastTerm > other.lastTerm || (one.lastTerm === other.lastTerm && one.lastIndex > other.lastIndex);
}

function label({ names }: FolderState, id: string): string {
	const name = names[id] ?? "";
	return name === "" ? `member ${id}` : `${name} (${id})`;
}
