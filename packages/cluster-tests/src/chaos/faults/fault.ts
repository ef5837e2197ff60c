import type { Dice } from "@flotilla/base";
import { pause } from "../../process/wait.ts";
import type { Stage, StageMember } from "../stage.ts";
import type { Details, DetailsOf, DetailTable } from "./details.ts";

/** What a fault may use. */
export interface FaultWorld {
	readonly stage: Stage;
	readonly dice: Dice;
	/** Resolves after so many milliseconds, or at once when the faults are to end. */
	pause(ms: number): Promise<void>;
	/** The faults are to end now. */
	ending(): boolean;
	/** No line strikes anew until the function that is returned is called; what is under way is mended in its time. */
	truce(): () => void;
	/** Whom to strike is found, which takes its time on a busy machine: the fault begins now. */
	begins(): void;
	/** A member of the watchers has another process or folder now. */
	replaced(member: StageMember): void;
	/** For the report: more about what was done. */
	note(text: string): void;
}

/** A line of a scenario as its fault is asked about it. */
export interface AskedLine {
	readonly details: Details;
	/** The names of details that the line says itself. */
	readonly given: ReadonlySet<string>;
	readonly members: number;
}

/** A kind of fault. Errors of `strike` end the run as a failure of the tester, not of the cluster. */
export interface Fault {
	readonly about: string;
	/** False: it has happened as soon as it has begun, and a line says nothing of how long. */
	readonly lasts: boolean;
	/** What a line may say to it. */
	readonly details: DetailTable;
	/** Programs without which it cannot be done; also `root`. A scenario that needs a missing one is skipped by name. */
	readonly needs?: readonly string[];
	/** Only these servers can be asked for it. */
	readonly programs?: readonly string[];
	/** Members below which it never strikes. */
	readonly membersMin?: number;
	/** Null, or why a line whose details are each right would not do what it says. */
	contradiction?(line: AskedLine): string | null;
	/**
	 * Breaks something, keeps it broken for `forMs` and mends it. Null: there was nothing to strike just now. Otherwise those
	 * that were struck, which the report shows.
	 */
	strike(world: FaultWorld, details: Details, forMs: number): Promise<readonly string[] | null>;
}

/** A fault that lasts for a while, whose `strike` is given what its table declares. */
export function lasting<const Table extends DetailTable>(
	fault: Omit<Fault, "lasts" | "details" | "strike"> & {
		readonly details: Table;
		strike(world: FaultWorld, details: DetailsOf<Table>, forMs: number): Promise<readonly string[] | null>;
	},
): Fault {
	// What comes in was read by this very table.
	return { ...fault, lasts: true, strike: (world, details, forMs) => fault.strike(world, details as DetailsOf<Table>, forMs) };
}

/** One that is over at once. */
export function momentary<const Table extends DetailTable>(
	fault: Omit<Fault, "lasts" | "details" | "strike"> & {
		readonly details: Table;
		strike(world: FaultWorld, details: DetailsOf<Table>): Promise<readonly string[] | null>;
	},
): Fault {
	return { ...fault, lasts: false, strike: (world, details) => fault.strike(world, details as DetailsOf<Table>) };
}

/**
 * Members that a line names: `leader`, `follower`, `one`, `minority`, `majority`, `all` or a name. Only those that run and that no
 * other fault holds; null when the choice is empty.
 */
export async function choose(world: FaultWorld, who: string): Promise<readonly StageMember[] | null> {
	const { stage, dice } = world;
	// First what takes time: whoever is free now may be held by another fault then.
	const leader = who === "leader" || who === "follower" ? await stage.leader() : null;
	world.begins();
	const free = stage.present.filter((member) => !member.held && member.process.running);
	const some = (count: number): readonly StageMember[] | null => (free.length === 0 ? null : dice.shuffle([...free]).slice(0, count));
	const minority = Math.max(1, Math.ceil(stage.present.length / 2) - 1);
	switch (who) {
		case "all":
			return some(free.length);
		case "one":
			return some(1);
		case "minority":
			return some(dice.range(1, minority));
		case "majority":
			return some((stage.present.length >> 1) + 1);
		case "leader":
		case "follower": {
			const fits = free.filter((member) => (member === leader) === (who === "leader"));
			return fits.length === 0 ? null : [dice.pick(fits)];
		}
		default: {
			const named = free.filter(({ name }) => name === who);
			return named.length === 0 ? null : named;
		}
	}
}

/** What a process that may have been struck is watched for. One that ends later is started by the run itself. */
const END_MS = 2_000;
/** What one may take that was struck and has to end: reached only by one that goes on, on a machine as busy as may be. */
const MUST_END_MS = 60_000;

/**
 * Starts the member if what was struck has ended it, or ends it in this moment; then its last line, else null. The end of the faults
 * cuts nothing of this short.
 */
export async function startIfEnded({ stage }: FaultWorld, member: StageMember, waitMs = END_MS): Promise<string | null> {
	const { process } = member;
	if (process.running) await Promise.race([process.exited(), pause(waitMs)]);
	if (process.running) return null;
	// Its last words may still be on their way.
	await process.exited();
	const { lastLine } = process;
	await stage.startMember(member);
	return lastLine;
}

/** The same of one that met what no member may survive. `struck`: what that was. */
export async function startWhenEnded(world: FaultWorld, member: StageMember, struck: string): Promise<string> {
	const lastLine = await startIfEnded(world, member, MUST_END_MS);
	if (lastLine === null) throw new Error(`${member.name} met ${struck} and goes on`);
	return lastLine;
}

/** Runs `work` while nobody else touches these members; null, and nothing done, when somebody does already. */
export async function holding(members: readonly StageMember[], work: () => Promise<void>): Promise<readonly string[] | null> {
	if (members.some(({ held }) => held)) return null;
	for (const member of members) member.held = true;
	try {
		await work();
	} finally {
		for (const member of members) member.held = false;
	}
	return members.map(({ name }) => name);
}
