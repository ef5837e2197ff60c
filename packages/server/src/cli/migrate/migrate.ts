/** One migration: users, leases and keys of one revision, then all changes since, then a comparison. */
import { setTimeout as pause } from "node:timers/promises";
import type { Access } from "../outside-client.ts";
import { compareSides } from "./compare.ts";
import { copyKeys } from "./copy-keys.ts";
import { readPasswords, UserCopy } from "./copy-users.ts";
import { Follower } from "./follow.ts";
import { LeaseLost, LeaseMirror } from "./lease-mirror.ts";
import { assertReady, demandsLogins } from "./preflight.ts";
import { Backlog, Countdown, everySecond } from "./progress.ts";
import { isCompacted } from "./refusals.ts";
import { RPC } from "./rpc.ts";
import { Side } from "./side.ts";

export interface MigrationSettings {
	readonly source: { readonly endpoints: readonly string[]; readonly access: Access };
	readonly target: { readonly endpoints: readonly string[]; readonly access: Access };
	readonly users: boolean;
	/** Content of the file, or empty. */
	readonly passwords: string;
}

export interface Operator {
	/** One line of progress. */
	tell(line: string): void;
	/** Resolves when clients are to be switched; asked when the target is about to be in step. */
	switched(): Promise<void>;
	/** Rejects when it is to be given up: at any time but while `switched` waits. */
	readonly givenUp: Promise<never>;
}

const COMPARISONS = 5;
const COMPARISON_PAUSE_MS = 1_000;
/** So many times without a single key or event in between. */
const IN_VAIN_MAX = 5;
/** More than the second of which one line is told. */
const TICK_MS = 1_050;

/** What whoever gives up, or has to, must know. */
const PHASES = {
	looking: "",
	copying: "; the target holds part of the keys: empty it before you begin again",
	following: "; the target was not compared: empty it before you begin again",
	comparing: "; the target was not compared to the end",
} as const;

export async function migrate(settings: MigrationSettings, operator: Operator): Promise<{ same: boolean }> {
	const migration = new Migration(settings, operator);
	try {
		return await Promise.race([migration.run(), operator.givenUp]);
	} catch (error) {
		throw new Error(`${(error as Error).message}${PHASES[migration.phase]}`, { cause: error });
	} finally {
		migration.end();
	}
}

class Migration {
	phase: keyof typeof PHASES = "looking";
	private readonly operator: Operator;
	private readonly tell: (line: string) => void;
	private readonly told: (line: string) => void;
	private readonly withUsers: boolean;
	private readonly passwords: ReadonlyMap<string, string>;
	private readonly source: Side;
	private readonly target: Side;
	private readonly leases: LeaseMirror;
	private readonly users: UserCopy;
	private ownUsers: ReadonlySet<string> = new Set();
	/** Each key that the target has is as the source had it at this revision or later. */
	private held = 0;
	/** Portions of keys written so far, for telling whether anything moves. */
	private written = 0;
	private changes = 0;

	constructor({ source, target, users, passwords }: MigrationSettings, operator: Operator) {
		this.operator = operator;
		this.tell = (line) => operator.tell(line);
		this.told = everySecond(this.tell);
		this.withUsers = users;
		this.passwords = readPasswords(passwords);
		this.source = new Side("source", source.endpoints, source.access, this.tell);
		this.target = new Side("target", target.endpoints, target.access, this.tell);
		this.leases = new LeaseMirror(this.source, this.target);
		this.users = new UserCopy(this.source, this.target, this.passwords);
	}

	async run(): Promise<{ same: boolean }> {
		await Promise.all([this.source.meet(), this.target.meet()]);
		this.ownUsers = await assertReady(this.source, this.target, this.withUsers);
		this.held = await this.source.revision();
		this.leases.start();
		const same = await this.untilCompared();
		if (same && this.withUsers) await this.finishUsers();
		return { same };
	}

	end(): void {
		this.leases.stop();
		this.source.drop();
		this.target.drop();
	}

	/**
	 * History that is gone, or a lease that was lost on the way, costs a copy of what that was about, and no more. Not after the
	 * switch: such a copy takes away what the source does not have, and somebody may write at the target already.
	 */
	private async untilCompared(): Promise<boolean> {
		for (let inVain = 0; ; inVain++) {
			const before = this.held + this.written;
			try {
				return await this.compare(await this.follow(await this.copy()));
			} catch (error) {
				if (this.phase === "comparing" || !(isCompacted(error) || error instanceof LeaseLost)) throw error;
				if (this.held + this.written > before) inVain = 0;
				if (inVain >= IN_VAIN_MAX) throw error;
				this.tell(
					isCompacted(error)
						? `the ${error.side} was compacted beyond what is not read yet: what has changed since revision ${this.held} is copied anew`
						: `${error.message}. Its keys are created anew, behind all others: whoever queues by them has lost the place`,
				);
			}
		}
	}

	private async copy(): Promise<number> {
		this.phase = "copying";
		await this.leases.sweep();
		this.tell(`${this.leases.count} leases`);
		const revision = await this.source.revision();
		const countdown = new Countdown();
		const keys = await copyKeys(this.source, this.target, this.leases, { held: this.held, revision }, (done, all) => {
			this.written++;
			this.told(`${done} of ${all} keys${countdown.describe(done, all)}`);
		});
		this.held = revision;
		this.tell(`${keys} keys of revision ${revision} are copied`);
		if (this.withUsers) {
			await this.users.copy();
			this.tell(`${this.users.users} users, ${this.users.roles} roles`);
		}
		return revision;
	}

	/** Until clients are switched and all that the source had by then is carried out. */
	private async follow(copied: number): Promise<Follower> {
		this.phase = "following";
		const follower = new Follower(this.source, this.target, this.leases, copied);
		const troubled = Promise.withResolvers<never>();
		troubled.promise.catch(() => {});
		const watching = this.watchOver(follower, troubled.reject);
		const run = follower.run();
		try {
			await Promise.race([this.operator.switched(), run, troubled.promise]);
			const last = await this.source.revision();
			this.tell(`switching: the source is at revision ${last}, ${Math.max(0, last - follower.revision)} left`);
			follower.endAt(last);
			await Promise.race([run, troubled.promise]);
		} finally {
			clearInterval(watching);
			await follower.stop(run);
			this.held = Math.max(this.held, follower.applied);
			this.changes += follower.events;
		}
		this.tell(`in step up to revision ${follower.revision}; ${this.changes} changes since the copy`);
		if (follower.split > 0) this.tell(`${follower.split} transactions of the source were too large for one, and came in parts`);
		return follower;
	}

	/** Tells how far it is. What the source has by now is asked of it: its events alone do not say how many are yet to come. */
	private watchOver(follower: Follower, troubled: (error: unknown) => void): NodeJS.Timeout {
		const backlog = new Backlog();
		const told = everySecond(this.tell);
		let asking = false;
		const ask = async (): Promise<void> => {
			asking = true;
			this.leases.assertWell();
			const last = await this.source.revision();
			told(backlog.describe(follower.revision, last, this.changes + follower.events));
			asking = false;
		};
		return setInterval(() => {
			if (!asking) ask().catch(troubled);
		}, TICK_MS);
	}

	private async compare(follower: Follower): Promise<boolean> {
		this.phase = "comparing";
		for (let left = COMPARISONS - 1; ; left--) {
			const differences = await this.compareOnce(follower, left === 0);
			if (differences === 0) return true;
			if (left === 0) return false;
			await pause(COMPARISON_PAUSE_MS);
			follower.endAt(await this.source.revision());
			follower.rewind();
			await follower.run();
		}
	}

	/** Resolves with the number of differences; not a number when history was compacted meanwhile. */
	private async compareOnce(follower: Follower, isLast: boolean): Promise<number> {
		await this.leases.sweep();
		this.leases.assertWell();
		if (this.withUsers) await this.users.copy();
		const revisions = { source: follower.revision, target: await this.target.revision() };
		try {
			const { keys, leases, roles, users, longer, differences, told } = await compareSides(this.source, this.target, revisions, {
				...{ users: this.withUsers, ownUsers: this.ownUsers },
				livesOn: (lease) => this.leases.holds(lease),
				progress: (done) => this.told(`${done} keys are compared`),
			});
			if (longer > 0) this.tell(`${longer} leases have a longer time at the target, which grants none shorter`);
			if (differences === 0) this.tell(`compared: ${keys} keys, ${leases} leases, ${users} users, ${roles} roles: the same`);
			else if (isLast) {
				for (const text of told) this.tell(`  ${text}`);
				this.tell(`compared: ${differences} differences (source at revision ${revisions.source}, target at ${revisions.target})`);
			} else this.tell(`${differences} differences; compared again with what came since`);
			return differences;
		} catch (error) {
			if (isLast || !isCompacted(error)) throw error;
			this.tell(`the ${error.side} was compacted while it was compared; compared again`);
			return Number.NaN;
		}
	}

	private async finishUsers(): Promise<void> {
		const { withoutPassword } = this.users;
		if (withoutPassword.length > 0) this.tell(`set passwords anew (etcdctl user passwd): ${withoutPassword.join(", ")}`);
		if (!(await demandsLogins(this.source)) || (await demandsLogins(this.target))) return;
		if (this.passwords.has("root")) {
			await this.target.call(RPC.authEnable, {});
			this.tell("the target demands logins now, as the source does");
		} else this.tell("the source demands logins, the target does not yet: set root's password, then etcdctl auth enable");
	}
}
