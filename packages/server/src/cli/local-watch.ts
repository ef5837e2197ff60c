import { readTap } from "../tap/read-tap.ts";
import type { LocalMember, LocalStatus } from "./local-member.ts";
import type { Screen } from "./local-screen.ts";
import { changeLines, type LocalRole, type LocalRow, tableLines } from "./local-table.ts";

const POLL_MS = 250;
/** While a leader is awaited. */
const ELECTION_POLL_MS = 20;
const REVISION_LINES_MS = 1_000;
/** Events after which a member's row is out of date at once; revisions rise too often for that and come with the polls. */
const ROW_EVENTS = ["becameLeader", "becameFollower", "leaderChanged", "leaderLost", "termRaised", "stopping"] as const;

interface Seen {
	readonly id: string;
	/** Null: it does not answer. */
	readonly status: LocalStatus | null;
}

/** Asks every member for its state again and again, each at its own pace, and shows what it learned. */
export class LocalWatch {
	private readonly members: readonly LocalMember[];
	private readonly screen: Screen;
	private readonly foot: readonly string[];
	private readonly seen = new Map<LocalMember, Seen>();
	private readonly timers = new Set<NodeJS.Timeout>();
	/** The event taps that are read, and how to stop that. */
	private readonly taps = new Map<LocalMember, () => void>();
	private printed: readonly LocalRow[] = [];
	private printedMs = 0;
	private election: { readonly killed: LocalMember; readonly term: number; readonly startedMs: number } | null = null;
	private ended = false;

	constructor(members: readonly LocalMember[], screen: Screen, foot: readonly string[]) {
		this.members = members;
		this.screen = screen;
		this.foot = foot;
	}

	/** Shows how long the start takes, until it is called with null. */
	progress(elapsed: (() => string) | null): void {
		this.cancelTimers();
		if (elapsed === null || !this.screen.live) return;
		const tick = (): void => {
			this.screen.show([...tableLines(this.rows()), "", `  starting ... ${elapsed()}`]);
			this.after(100, tick);
		};
		tick();
	}

	begin(): void {
		for (const member of this.members) void this.follow(member);
	}

	end(): void {
		this.ended = true;
		this.cancelTimers();
		for (const stop of this.taps.values()) stop();
	}

	killLeader(): void {
		const leader = this.members.find((member) => member.state === "serving" && this.seen.get(member)?.status?.leads === true);
		if (leader === undefined) {
			this.screen.say("There is no leader to kill now.");
			return;
		}
		this.election = { killed: leader, term: this.seen.get(leader)?.status?.term ?? 0, startedMs: performance.now() };
		leader.kill();
		this.screen.say(`Killed ${leader.row.name}, the leader (SIGKILL).`);
		this.sayQuorum();
		for (const member of this.members) if (member !== leader) void this.ask(member);
		this.after(ELECTION_POLL_MS, () => this.pollElection());
	}

	/** Says so when too few members are left to agree on anything. */
	sayQuorum(): void {
		const up = this.members.filter((member) => member.state === "serving").length;
		if (up > this.members.length / 2) return;
		this.screen.say(
			`Only ${up} of ${this.members.length} members is up: no leader can be elected, and writes wait until r restarts the others.`,
		);
	}

	private async follow(member: LocalMember): Promise<void> {
		await this.ask(member);
		if (!this.ended) this.after(POLL_MS, () => void this.follow(member));
	}

	/** Its tap tells when a row changes; without it (a member that is just starting) the polls do. */
	private listen(member: LocalMember): void {
		if (member.state !== "serving" || this.taps.has(member)) return;
		const stop = readTap(
			member.tapPath,
			{ names: ROW_EVENTS, recent: 0 },
			{
				event: () => void this.ask(member),
				closed: () => this.taps.delete(member),
			},
		);
		this.taps.set(member, stop);
	}

	private async ask(member: LocalMember): Promise<void> {
		if (this.ended) return;
		this.listen(member);
		const status = member.state === "serving" ? await member.status() : null;
		if (this.ended) return;
		const id = status === null ? (this.seen.get(member)?.id ?? "") : status.id.toString(16);
		this.seen.set(member, { id, status });
		this.noteElection(member, status);
		this.draw();
	}

	private pollElection(): void {
		if (this.election === null) return;
		for (const member of this.members) if (member.state === "serving") void this.ask(member);
		this.after(ELECTION_POLL_MS, () => this.pollElection());
	}

	private noteElection(member: LocalMember, status: LocalStatus | null): void {
		const { election } = this;
		if (election === null || status === null || !status.leads || status.term <= election.term) return;
		this.election = null;
		const elapsedMs = Math.round(performance.now() - election.startedMs);
		this.screen.say(`${member.row.name} leads now, in term ${status.term}, ${elapsedMs} ms after the kill.`);
	}

	private draw(): void {
		const rows = this.rows();
		if (this.screen.live) this.screen.show([...tableLines(rows), ...this.foot]);
		else if (this.printed.length > 0) this.printChanges(rows);
		else if (this.seen.size === this.members.length) {
			for (const line of tableLines(rows)) this.screen.say(line);
			this.remember(rows);
		}
	}

	private printChanges(rows: readonly LocalRow[]): void {
		const changes = changeLines(this.printed, rows);
		const due = performance.now() - this.printedMs >= REVISION_LINES_MS;
		if (changes.length === 0 && due && rows.some((row, at) => row.revision > (this.printed[at]?.revision ?? 0))) {
			changes.push(`revision ${rows.map(({ name, revision }) => `${name} ${revision}`).join(", ")}`);
		}
		for (const line of changes) this.screen.say(line);
		if (changes.length > 0) this.remember(rows);
	}

	private remember(rows: readonly LocalRow[]): void {
		this.printed = rows;
		this.printedMs = performance.now();
	}

	private rows(): LocalRow[] {
		return this.members.map((member) => {
			const { id, status } = this.seen.get(member) ?? { id: "", status: null };
			const { term, revision } = status ?? { term: 0, revision: 0 };
			const role = id === "" && member.state === "serving" ? "starting" : roleOf(member, status);
			return { name: member.row.name, id, endpoint: member.endpoint, role, term, revision };
		});
	}

	private after(ms: number, work: () => void): void {
		const timer = setTimeout(() => {
			this.timers.delete(timer);
			work();
		}, ms);
		this.timers.add(timer);
	}

	private cancelTimers(): void {
		for (const timer of this.timers) clearTimeout(timer);
		this.timers.clear();
	}
}

function roleOf(member: LocalMember, status: LocalStatus | null): LocalRole {
	if (member.state !== "serving") return member.state;
	if (status === null) return "no answer";
	if (status.leads) return "leader";
	return status.hasLeader ? "follower" : "no leader";
}
