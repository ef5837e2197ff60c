/**
 * Whether watchers may still hear what they watch. Rights are asked for when a watcher is made, and again when users or roles have
 * changed since (Deviation: etcd goes on telling it): before the next event is told, and, for those that hear nothing, in a
 * sweep over all of them. One that may not is canceled with the reason.
 */
import type { Watcher, WatchStream } from "@flotilla/mvcc";
import { statusText } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";

/** Watchers asked about in one turn of the sweep. */
const SWEEP_SLICE = 1_000;

interface Owner {
	/** Empty: nobody in particular, from a time when nobody asked. */
	readonly user: string;
	/** Of the users and roles that it was judged by last. */
	judgedAt: number;
	/** It is going to be canceled. */
	doomed: boolean;
}

/** The watchers of one stream. */
export class WatchRights {
	readonly stream: WatchStream;
	private readonly deps: ServiceDeps;
	/** Only those that were made or judged while authentication was on. */
	private readonly owners = new Map<bigint, Owner>();

	constructor(deps: ServiceDeps, stream: WatchStream) {
		this.deps = deps;
		this.stream = stream;
	}

	/** It was just judged. */
	note(id: bigint, user: string): void {
		this.owners.set(id, { user, judgedAt: this.deps.member.auth.revision, doomed: false });
	}

	forget(id: bigint): void {
		this.owners.delete(id);
	}

	/** Costs a look at a flag while authentication is off, and a look-up while nothing changes. */
	allow(watcher: Watcher): boolean {
		const { auth } = this.deps.member;
		if (!auth.enabled) return true;
		const owner = this.ownerOf(watcher.id);
		if (owner.doomed) return false;
		if (owner.judgedAt === auth.revision) return true;
		const authRevision = owner.user === "" ? 0 : auth.revision;
		const fault = auth.rangeFault({ user: owner.user, authRevision }, watcher.request);
		if (fault === null) {
			owner.judgedAt = auth.revision;
			return true;
		}
		owner.doomed = true;
		// Not from inside a delivery: the hub is on its way through its watchers.
		this.deps.soon(() => {
			if (this.owners.get(watcher.id) === owner) this.stream.cancel(watcher.id, statusText("permissionDenied"));
		});
		return false;
	}

	private ownerOf(id: bigint): Owner {
		let owner = this.owners.get(id);
		if (owner === undefined) {
			owner = { user: "", judgedAt: 0, doomed: false };
			this.owners.set(id, owner);
		}
		return owner;
	}
}

/** All streams of the member, a slice a turn, after each change of users and roles. */
export class WatchRightsSweep {
	private readonly deps: ServiceDeps;
	private readonly streams = new Set<WatchRights>();
	private left: Iterator<() => void> | null = null;

	constructor(deps: ServiceDeps) {
		this.deps = deps;
		deps.member.onAuthChange(() => this.begin());
	}

	add(rights: WatchRights): void {
		this.streams.add(rights);
	}

	delete(rights: WatchRights): void {
		this.streams.delete(rights);
	}

	private begin(): void {
		if (!this.deps.member.auth.enabled || this.streams.size === 0) return;
		const running = this.left !== null;
		this.left = this.questions();
		if (!running) this.deps.soon(() => this.step());
	}

	private step(): void {
		for (let asked = 0; asked < SWEEP_SLICE; asked++) {
			const next = this.left?.next();
			if (next === undefined || next.done === true) {
				this.left = null;
				return;
			}
			next.value();
		}
		this.deps.soon(() => this.step());
	}

	/** Streams and watchers may come and go between two of them: those that come were judged when they came. */
	private *questions(): Generator<() => void> {
		for (const rights of this.streams) {
			for (const watcher of rights.stream.watchers.values()) if (watcher.state !== "ended") yield () => void rights.allow(watcher);
		}
	}
}
