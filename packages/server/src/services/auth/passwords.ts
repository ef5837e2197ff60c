/**
 * Passwords against their hashes, with as little work as is safe: what was found right is remembered under a key of this
 * process, the same question asked twice at once is answered once, and guessing is slowed down.
 */
import { createHmac, randomBytes } from "node:crypto";
import type { User } from "@flotilla/replica";
import type { Clock } from "../../ports.ts";
import { GuessLimit } from "./guess-limit.ts";

/** The slow part, done off the event loop. `done` comes in a later turn; null: there is too much of it, or it failed. */
export interface PasswordWork {
	hash(password: string, cost: number, done: (hash: string | null) => void): void;
	compare(password: string, hash: string, done: (same: boolean | null) => void): void;
}

export type PasswordVerdict = "right" | "wrong" | "tooMany";

/** Longer names are refused: they travel with every entry of their user. Deviation: etcd limits the request alone. */
export const NAME_BYTES_MAX = 4_096;
/** More bytes than this are not looked at by bcrypt; they are refused instead. */
export const PASSWORD_BYTES_MAX = 72;
const REMEMBERED_MAX = 4_096;
const REMEMBERED_MS = 600_000;
/** Salt and hash of no password at all: what an unknown user's is compared with, so that it takes as long as a known one's. */
const DUMMY_TAIL = "A".repeat(53);

type Listener = (verdict: PasswordVerdict) => void;

export class Passwords {
	private readonly work: PasswordWork;
	private readonly clock: Clock;
	private readonly dummyHash: string;
	private readonly secret = randomBytes(32);
	/** Until when a question was answered with yes; the oldest first. */
	private readonly remembered = new Map<string, number>();
	private readonly asked = new Map<string, Listener[]>();
	private readonly guesses: GuessLimit;

	constructor(work: PasswordWork, bcryptCost: number, clock: Clock) {
		this.work = work;
		this.clock = clock;
		this.dummyHash = `$2a$${String(bcryptCost).padStart(2, "0")}$${DUMMY_TAIL}`;
		this.guesses = new GuessLimit(clock);
	}

	/** `user`: undefined when there is none of that name. `address`: the client's, without its port. */
	check(name: string, user: User | undefined, password: string, address: string, done: Listener): void {
		const hash = user === undefined || user.passwordHash === "" ? null : user.passwordHash;
		const question = this.questionOf(name, hash ?? "", password);
		if (hash !== null && this.isRemembered(question)) {
			// Beyond the limit no answer may tell the right password from a wrong one.
			done(this.guesses.exhausted(address, name) ? "tooMany" : "right");
			return;
		}
		const listeners = this.asked.get(question);
		if (listeners !== undefined) {
			listeners.push(done);
			return;
		}
		if (!this.guesses.take(address, name)) {
			done("tooMany");
			return;
		}
		this.asked.set(question, [done]);
		this.work.compare(password, hash ?? this.dummyHash, (same) => {
			const right = same === true && hash !== null && Buffer.byteLength(password) <= PASSWORD_BYTES_MAX;
			if (right) {
				this.remember(question);
				this.guesses.giveBack(address, name);
			}
			const heard = this.asked.get(question) ?? [];
			this.asked.delete(question);
			for (const listener of heard) listener(same === null ? "tooMany" : right ? "right" : "wrong");
		});
	}

	/** Only the keyed hash is kept: it says nothing to whoever does not know the secret of this process life. */
	private questionOf(name: string, hash: string, password: string): string {
		const hmac = createHmac("sha256", this.secret);
		for (const part of [name, hash, password]) hmac.update(`${Buffer.byteLength(part)}:`).update(part);
		return hmac.digest().toString("latin1");
	}

	private isRemembered(question: string): boolean {
		const untilMs = this.remembered.get(question);
		if (untilMs === undefined) return false;
		if (untilMs > this.clock.monotonicMs()) return true;
		this.remembered.delete(question);
		return false;
	}

	private remember(question: string): void {
		this.remembered.delete(question);
		if (this.remembered.size >= REMEMBERED_MAX) {
			const [oldest] = this.remembered.keys();
			if (oldest !== undefined) this.remembered.delete(oldest);
		}
		this.remembered.set(question, this.clock.monotonicMs() + REMEMBERED_MS);
	}
}
