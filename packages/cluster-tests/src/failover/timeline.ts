/** What happened between the loss of a leader and the first write under the next one, as lines for people. */
import type { TapEventName } from "@flotilla/base";
import type { TapLine } from "@flotilla/server/internal";
import type { Outage } from "./outage.ts";
import type { Seen } from "./tap-recorder.ts";

/** What the timeline is made of. Members emit more. */
export const TIMELINE_EVENTS = [
	"heartbeatHeard",
	"peerDisconnected",
	"leaderLost",
	"becamePreCandidate",
	"preVoteGranted",
	"becameCandidate",
	"voteGranted",
	"voteRejected",
	"becameLeader",
	"becameFollower",
	"leaderChanged",
	"writesReleased",
	"commitAdvanced",
	"walSynced",
	"transferStarted",
	"transferEnded",
	"handedOver",
	"goodbyeHeard",
	"stopping",
	"stopped",
] as const satisfies readonly TapEventName[];

type TimelineEvent = (typeof TIMELINE_EVENTS)[number];

interface Moment {
	readonly atMs: number;
	readonly who: string;
	readonly what: string;
}

/** One line a moment, in milliseconds since the signal. */
export function timeline({ signal, signalMs, lastBeforeMs, firstAfterMs, waited, seen }: Outage, nameOf: (id: string) => string): string[] {
	const told: Moment[] = [
		{ atMs: signalMs, who: "-", what: `${signal} to the leader` },
		{ atMs: lastBeforeMs, who: "client", what: "last write acknowledged before" },
		{ atMs: firstAfterMs, who: "client", what: `first write acknowledged after; ${waited} writes had been waiting` },
	];
	const worth = worthTelling(seen, signalMs);
	// On a busy machine the longest pause may be another one than the election's.
	const commitMs = firstCommitOf(seen)?.atMs ?? 0;
	const untilMs = Math.max(firstAfterMs, commitMs) + 1;
	for (const { atMs, member, event } of worth) {
		if (atMs > untilMs) break;
		told.push({ atMs, who: member, what: inWords(event, nameOf) });
	}
	told.sort((a, b) => a.atMs - b.atMs);
	return told.map(({ atMs, who, what }) => `${(atMs - signalMs).toFixed(1).padStart(9)} ms  ${who.padEnd(6)}  ${what}`);
}

/** What one of these events says. */
export function inWords(event: TapLine, nameOf: (id: string) => string): string {
	return WORDS[event.name as TimelineEvent](new Said(event, nameOf));
}

/** Where the last leader of these began to lead. */
export function newLeadership(seen: readonly Seen[]): Seen | undefined {
	const leaders = seen.filter(({ event }) => event.name === "becameLeader");
	return leaders.reduce<Seen | undefined>(
		(last, each) => (last === undefined || each.event.term > last.event.term ? each : last),
		undefined,
	);
}

/** Its own first commit as leader: in its term it may have learned, as a candidate, of one of the term before. */
export function firstCommitOf(seen: readonly Seen[]): Seen | undefined {
	const began = newLeadership(seen);
	if (began === undefined) return undefined;
	return seen.find(
		({ member, atMs, event }) =>
			event.name === "commitAdvanced" && event.term === began.event.term && member === began.member && atMs >= began.atMs,
	);
}

/** Without the dull rhythm before the end and after the beginning: of heartbeats the last ones, of commits the first. */
function worthTelling(seen: readonly Seen[], signalMs: number): Seen[] {
	const lastHeartbeats = new Map<string, Seen>();
	for (const each of seen) if (each.event.name === "heartbeatHeard" && each.atMs < signalMs) lastHeartbeats.set(each.member, each);
	const newTerm = newLeadership(seen)?.event.term ?? 0;
	const firstCommit = firstCommitOf(seen);
	return seen.filter((each) => {
		const { name, term } = each.event;
		if (name === "heartbeatHeard") return lastHeartbeats.get(each.member) === each;
		if (name === "commitAdvanced") return each === firstCommit;
		if (name === "walSynced") return term === newTerm && (firstCommit === undefined || each.atMs < firstCommit.atMs);
		return TIMELINE_EVENTS.includes(name as TimelineEvent);
	});
}

/** An event with its fields as text, members by name. */
class Said {
	readonly term: number;
	readonly index: number;
	private readonly fields: TapLine["fields"];
	private readonly nameOf: (id: string) => string;

	constructor({ term, index, fields }: TapLine, nameOf: (id: string) => string) {
		this.term = term;
		this.index = index;
		this.fields = fields;
		this.nameOf = nameOf;
	}

	text(field: string): string {
		return String(this.fields[field] ?? "");
	}

	member(field: string): string {
		return this.nameOf(this.text(field));
	}
}

const WORDS: Readonly<Record<TimelineEvent, (e: Said) => string>> = {
	heartbeatHeard: (e) => `last heartbeat of ${e.member("leader")}`,
	peerDisconnected: (e) =>
		e.text("reason") === "lost"
			? `holds ${e.member("remotePeerId")} for lost`
			: `connection ${e.text("lane")} with ${e.member("remotePeerId")} closed: ${e.text("reason")}`,
	leaderLost: (e) => `has no leader any more (${e.text("reason")})`,
	becamePreCandidate: (e) => `asks for a pre-vote (${e.text("reason")})`,
	preVoteGranted: (e) => `grants ${e.member("to")} a pre-vote`,
	becameCandidate: (e) => `asks for votes in term ${e.term} (${e.text("reason")})`,
	voteGranted: (e) => `gives ${e.member("to")} its vote`,
	voteRejected: (e) => `refuses ${e.member("to")} its vote`,
	becameLeader: (e) => `leads term ${e.term}`,
	becameFollower: (e) => `steps back (${e.text("reason")})`,
	leaderChanged: (e) => `knows ${e.member("leader")} as leader of term ${e.term}`,
	writesReleased: (e) => `${e.text("count")} writes that waited here go to the leader`,
	commitAdvanced: (e) => `first commit of term ${e.term}, index ${e.index}`,
	walSynced: (e) => `log written, ${Number(e.text("tookMs")).toFixed(1)} ms`,
	transferStarted: (e) => `hands leadership to ${e.member("to")}: holds new writes until that one is up to date`,
	transferEnded: (e) => `its handing over has ended (${e.text("outcome")})`,
	handedOver: (e) => `tells ${e.member("to")} to take over`,
	goodbyeHeard: (e) => `hears that ${e.member("leader")} leaves, and expects ${e.member("successor")}`,
	stopping: () => "begins to stop",
	stopped: () => "has stopped",
};
