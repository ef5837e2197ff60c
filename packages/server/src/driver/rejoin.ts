/**
 * Rule S6, where the log no longer reaches back far enough: the store is lost, log and votes are whole, so the member takes the
 * state from another one before its core starts, and comes back under its id. Until then it serves nobody, votes for nobody and
 * acknowledges nothing: it is as if it were down. Whoever of the members runs can give its state, leader or not: what a member has
 * applied is committed.
 *
 * Which states may take the place of the store. The state is that of a committed entry (A, t). F and L are the first and last entry
 * of the log, C what it knows to be committed; everything below F was committed, or the log could not have been cut there.
 *
 * 1. A < F - 1: entries between are missing. Of no use.
 * 2. The log holds (A, t), or ends its past with it (A = F - 1). By log matching everything up to A is the committed log. The log
 *    stays as it is, and what stands above A with it; to start from a store at A is what every start from a floor does.
 * 3. The log has another term at an A up to C (or F - 1): two histories were committed. Of no use, and worth a word.
 * 4. Otherwise A is beyond L, or the log has another term at an A above C. The state takes the place of the whole log (rule N4).
 *    What this member ever acknowledged below A is in the state, or can never be committed, as another entry was at its place. What it
 *    holds above A stands, by log matching, behind an entry at A that is not (A, t); whoever commits anything there has (A, t) in
 *    its log (leader completeness), so nothing of it was or will be committed. Term and vote stay as they were; a term below t
 *    rises to t, in which this member has voted for nobody.
 */
import { assert, marks } from "@flotilla/base";
import { EntryKind, type HardState, type LogIndex, membersOf, type NodeId, type SnapshotMeta, type Term } from "@flotilla/raft";
import { EnvelopeReader } from "@flotilla/replica";
import type { OpenStore } from "../ports.ts";
import type { RecoveredLog, WriteAheadLog } from "../wal/wal-interface.ts";
import { type AddressRecord, addressesIn, firstAddresses, keepAddresses, type NotedAddresses } from "./addresses.ts";
import { writeFormat } from "./bootstrap.ts";
import { type Fetched, type FetchOptions, fetchState, type StoreRoom } from "./fetch-state.ts";
import type { FloorRecord } from "./floor-record.ts";
import { followEntry, type KnownMembers } from "./force-cluster.ts";
import type { MemberFormat } from "./format-file.ts";
import { entriesOf } from "./log-checks.ts";
import { ask, type OtherMember, type Steps } from "./recovery-steps.ts";
import type { RestoreStore, StoreState } from "./store-scan.ts";

export interface LogSeen {
	readonly wal: WriteAheadLog;
	readonly recovered: RecoveredLog;
	/** Of an entry, or of the point before the first one; else null. */
	readonly termAt: (index: LogIndex) => Term | null;
}

export type Fit = { readonly ok: true; readonly log: "kept" | "replaced" } | { readonly ok: false; readonly reason: string };

export function fitOf({ appliedIndex, term }: FloorRecord, { recovered, termAt }: Omit<LogSeen, "wal">): Fit {
	const { firstIndex, lastIndex, hardState } = recovered;
	const past = firstIndex - 1;
	if (appliedIndex < past) return { ok: false, reason: `it has applied entries up to ${appliedIndex} only, ${past} are needed` };
	const own = appliedIndex <= lastIndex ? termAt(appliedIndex) : null;
	if (own === term || (own === null && appliedIndex === past)) return { ok: true, log: "kept" };
	if (appliedIndex > Math.max(hardState.commit, past)) return { ok: true, log: "replaced" };
	const reason = `its entry ${appliedIndex} is of term ${term} and that of this log of term ${own}, and both are committed`;
	return { ok: false, reason };
}

/** Of the log once the state of (A, t) has taken its place. */
export function hardStateAt({ appliedIndex, term }: FloorRecord, before: HardState): HardState {
	const commit = Math.max(before.commit, appliedIndex);
	return term > before.term ? { term, vote: 0n, commit } : { ...before, commit };
}

/** Which states are taken, and what stays of the hard state; a test that plants a bug breaks one of them. */
export interface RejoinRules {
	readonly fit: typeof fitOf;
	readonly hardState: typeof hardStateAt;
}

export const REJOIN_RULES: RejoinRules = { fit: fitOf, hardState: hardStateAt };

/** How a lost store was replaced. */
export interface FetchReport {
	readonly from: NodeId;
	/** What was wrong with the store. */
	readonly because: string;
	readonly log: "kept" | "replaced";
}

export interface RejoinRequest {
	/** With the generation that is lost. */
	readonly format: MemberFormat;
	/** Noted before the log was cut. */
	readonly addresses: NotedAddresses;
	readonly log: LogSeen;
	readonly room: StoreRoom;
	readonly because: string;
	readonly restore: RestoreStore;
}

export interface Rejoined {
	readonly disk: OpenStore;
	readonly state: StoreState;
	/** The log as it is now. */
	readonly recovered: RecoveredLog;
	/** What the file of addresses says now. */
	readonly addresses: NotedAddresses;
	readonly fetched: FetchReport;
}

/** Ends with another member's state as the member's own: format file or log name its generation. Null: nobody is known who could be asked. */
export function* rejoin({ format, addresses, log, room, because, restore }: RejoinRequest, rules = REJOIN_RULES): Steps<Rejoined | null> {
	const others = yield* membersToAsk(format, addresses, log);
	if (others.size === 0) return null;
	const { clusterId, memberId } = format;
	const judge = (floor: FloorRecord): string | null => {
		if (floor.clusterId !== clusterId) return "it is of another cluster";
		if (!membersOf(floor.confState).includes(memberId)) return "its state does not count this member";
		const fit = rules.fit(floor, log);
		return fit.ok ? null : fit.reason;
	};
	const { from, disk, state } = yield* waitForState(others, { seeker: { clusterId, memberId }, room, restore, judge }, log, because);
	const { floor } = state;
	const fit = rules.fit(floor, log);
	assert(fit.ok, "a state was judged before it was taken");
	if (fit.log === "kept") marks.rejoinedLogKept++;
	else marks.rejoinedLogReplaced++;
	// The log that told of the members since may go now.
	const kept = yield* keepAddresses(clusterId, addresses, addressesIn(floor.appliedIndex, state.rows));
	const recovered = fit.log === "kept" ? log.recovered : yield* replaceLog(log, floor, rules);
	yield* writeFormat({ ...format, generation: floor.generation });
	const { revision, count } = floor.mark;
	const fields = { revision, records: count, generation: floor.generation, from, log: fit.log };
	yield* ask({ on: "tell", name: "snapshotReceived", index: floor.appliedIndex, fields });
	return { disk, state, recovered, addresses: kept, fetched: { from, because, log: fit.log } };
}

/** One frame of the log is the switch: marker, hard state and configuration are there whole or not at all. */
function* replaceLog({ wal, recovered }: LogSeen, floor: FloorRecord, rules: RejoinRules): Steps<RecoveredLog> {
	const { appliedIndex, term, confState, generation } = floor;
	const hardState = rules.hardState(floor, recovered.hardState);
	const snapshot: SnapshotMeta = { index: appliedIndex, term, confState, generation };
	yield* ask({ on: "amendLog", wal, change: { hardState, entries: [], snapshot } });
	return { ...recovered, hardState, snapshot, firstIndex: appliedIndex + 1, lastIndex: appliedIndex, lastTerm: term };
}

/** Whether anybody else was ever a member, as far as can be told before the log is opened. */
export function knowsOthers(addresses: AddressRecord, { memberId, initialMembers }: MemberFormat, log: RecoveredLog): boolean {
	const known = [...addresses.members, ...initialMembers].map(({ id }) => id);
	return log.changesMembers || [...known, ...membersOf(log.snapshot.confState)].some((id) => id !== memberId);
}

/** More than a member ever has at a time. The oldest go. */
const URLS_MAX = 16;

/** Members and where they may be, what was heard last first. An address that is not in use any more costs a dial in vain. */
class Whereabouts {
	private readonly self: NodeId;
	private readonly urls = new Map<NodeId, readonly string[]>();

	constructor(self: NodeId) {
		this.self = self;
	}

	get size(): number {
		return this.urls.size;
	}

	get members(): readonly OtherMember[] {
		return [...this.urls].map(([id, peerUrls]) => ({ id, peerUrls }));
	}

	hear(members: Iterable<OtherMember>): void {
		for (const { id, peerUrls } of members) {
			if (id === this.self || peerUrls.length === 0) continue;
			this.urls.set(id, [...new Set([...peerUrls, ...(this.urls.get(id) ?? [])])].slice(0, URLS_MAX));
		}
	}
}

/** Those of the first configuration, those of the record, and those that the log tells of since. */
function* membersToAsk(format: MemberFormat, addresses: AddressRecord, { wal, recovered }: LogSeen): Steps<Whereabouts> {
	const others = new Whereabouts(format.memberId);
	others.hear(firstAddresses(format).members);
	others.hear(addresses.members);
	const known: KnownMembers = new Map(addresses.members.map((member) => [member.id, { ...UNNAMED, ...member }]));
	const envelope = new EnvelopeReader();
	for (let next = Math.max(recovered.firstIndex, addresses.index + 1); next <= recovered.lastIndex; ) {
		for (const entry of yield* entriesOf(wal, next, recovered.lastIndex)) {
			if (entry.kind === EntryKind.config || entry.kind === EntryKind.normal) followEntry(known, entry, envelope);
			next = entry.index + 1;
		}
	}
	others.hear(known.values());
	return others;
}

const UNNAMED = { name: "", clientUrls: [], learner: false } as const;

const WAIT_MIN_MS = 250;
const WAIT_MAX_MS = 4_000;

/** Asks until somebody gives a state that fits. `lacks`: what is wrong with the store. */
function* waitForState(others: Whereabouts, options: FetchOptions, log: LogSeen, lacks: string): Steps<Fetched> {
	let told = "";
	for (let waitMs = WAIT_MIN_MS; ; waitMs = Math.min(2 * waitMs, WAIT_MAX_MS)) {
		const answers: string[] = [];
		// Members come, go and move while this one is away.
		const urls = others.members.flatMap(({ peerUrls }) => peerUrls);
		others.hear((yield* ask({ on: "findMembers", seeker: options.seeker, urls })).members);
		for (const { id, peerUrls } of others.members) {
			const fetched = yield* fetchState({ id, peerUrls }, options);
			if (typeof fetched !== "string") return fetched;
			answers.push(`${describe(id, peerUrls)}: ${fetched}`);
		}
		const answer = answers.join("; ");
		if (answer !== told)
			yield* ask({ on: "tell", name: "stateAwaited", index: log.recovered.lastIndex, fields: { lacks, answers: answer } });
		told = answer;
		marks.stateAwaited++;
		yield* ask({ on: "wait", ms: waitMs });
	}
}

function describe(id: NodeId, peerUrls: readonly string[]): string {
	return `member ${id.toString(16)} at ${peerUrls.join(",")}`;
}
