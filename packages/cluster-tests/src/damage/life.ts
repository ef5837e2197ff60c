/** One life of a single member, in this process and without a port: started, asked, ended. */
import { Dice, silentTap } from "@flotilla/base";
import { CommandKind, WriteCall } from "@flotilla/replica";
import {
	type Booted,
	bootMember,
	DEFAULT_MEMBER_OPTIONS,
	type MemberConfig,
	nodeBytes,
	type PeerTransport,
	type Scheduler,
} from "@flotilla/server/internal";
import type { Operation } from "../history/operation.ts";
import { encodeOperation } from "../history/wire.ts";
import type { Ground } from "./ground.ts";
import type { Command } from "./other-records.ts";
import { textOfTables } from "./tables.ts";

/** What a client could see, in a form that compares. */
export interface Contents {
	readonly revision: number;
	readonly hash: number;
	readonly compactRevision: number;
	/** See tables.ts. */
	readonly tables: string;
}

export type LifeOutcome =
	| { readonly kind: "serves"; readonly contents: Contents }
	/** The start refuses, or the process ends by itself, with these words. */
	| { readonly kind: "refused"; readonly text: string }
	/** Neither within the time allowed. */
	| { readonly kind: "stuck"; readonly text: string };

/** As a test build of one member takes it. */
export const MEMBER_ID = 0x1111n;
const PATIENCE_MS = 20_000;
const URL = "http://127.0.0.1:1";

/** Small enough that every part of a log and of a store comes into being with a few dozen writes. */
export const DAMAGE_CONFIG: MemberConfig = {
	...DEFAULT_MEMBER_OPTIONS,
	name: "solo",
	dataDir: "",
	listenClientUrls: [URL],
	advertiseClientUrls: [URL],
	listenPeerUrls: [URL],
	initialAdvertisePeerUrls: [URL],
	initialCluster: [{ id: MEMBER_ID, name: "solo", peerUrls: [URL] }],
	memberId: MEMBER_ID,
	clusterId: 0x7e57n,
	heartbeatMs: 20,
	electionMs: 100,
	walSegmentBytes: 16 << 10,
	walKeepEntries: 0,
	walKeepBytes: 24 << 10,
	snapshotCount: 20,
	floorBytes: 8 << 10,
};

const alone: PeerTransport = { send() {}, setMembers() {}, close: () => Promise.resolve() };

export type Written = Operation & { kind: "put" | "delete" | "txn" | "compact" };

/** A member that runs until it is ended, or ends itself. */
export class Life {
	private readonly ground: Ground;
	private booted: Booted | null = null;
	private words: string | null = null;
	private ended = false;
	private wake: () => void = () => {};

	constructor(ground: Ground) {
		this.ground = ground;
	}

	/** Resolves when it serves, refuses or dies. */
	start(): Promise<LifeOutcome> {
		return new Promise((resolve) => this.begin(resolve));
	}

	/** The same without a promise: `settled` is called once, in a turn of the ground's scheduler. */
	begin(settled: (outcome: LifeOutcome) => void): void {
		const { disk, stores, clock, scheduler } = this.ground;
		let open = true;
		const settle = (outcome: LifeOutcome): void => {
			if (!open) return;
			open = false;
			callOff();
			settled(outcome);
		};
		const callOff = scheduler.after(PATIENCE_MS, () => settle({ kind: "stuck", text: "neither up nor refused" }));
		const dice = new Dice(process.hrtime.bigint().toString());
		const world = {
			...{ clock, scheduler: this.scheduler, tap: silentTap, bytes: nodeBytes, dice, disk, stores },
			die: (reason: string) => {
				this.die(reason);
				settle({ kind: "refused", text: reason });
			},
			removed: () => settle({ kind: "refused", text: "removed from the cluster" }),
		};
		this.wake = () => settle({ kind: "refused", text: this.words ?? "" });
		this.guard(() =>
			bootMember(DAMAGE_CONFIG, world, (boot) => {
				if (!boot.ok) return settle({ kind: "refused", text: boot.refusal.text });
				this.booted = boot.booted;
				const { driver } = boot.booted;
				const unwatch = driver.afterTurns(() => {
					if (!driver.status().published) return;
					unwatch();
					settle({ kind: "serves", contents: this.look() });
				});
				driver.start(alone);
				driver.publish(DAMAGE_CONFIG.name, DAMAGE_CONFIG.advertiseClientUrls);
			}),
		)();
	}

	/** Throws when it is not acknowledged. */
	write(operation: Written): Promise<void> {
		return new Promise((resolve, reject) => {
			this.ask(operation, (fault) => (fault === null ? resolve() : reject(new Error(fault))));
		});
	}

	/** The same without a promise; null when it is acknowledged. */
	ask(operation: Written, answered: (fault: string | null) => void): void {
		const kinds = { put: CommandKind.put, delete: CommandKind.deleteRange, txn: CommandKind.txn, compact: CommandKind.compact };
		this.submit({ kind: kinds[operation.kind], payload: encodeOperation(operation) }, answered);
	}

	/** Any command; null when it is acknowledged. */
	submit({ kind, payload }: Command, answered: (fault: string | null) => void): void {
		const call = new WriteCall(kind, payload, "", 0, 500, (outcome) => answered(outcome.ok ? null : outcome.fault));
		this.booted?.driver.write(call);
	}

	/** How it ended by itself; null while it has not. */
	get died(): string | null {
		return this.words;
	}

	/** A broken invariant ends the process of a real member, with its words. */
	broken(error: unknown): void {
		this.die(error instanceof Error ? error.message : String(error));
		this.wake();
	}

	/** `clean`: with the closing fence of a stop; otherwise as by SIGKILL: what is written is written. */
	async end(clean: boolean): Promise<void> {
		this.ended = true;
		const { booted } = this;
		booted?.driver.end();
		// Closing the store is needed even then: another life in this process takes its lock.
		if (booted !== null) await new Promise<void>((done) => (clean ? booted.close(done) : booted.driver.closeStores(done)));
		// Of a start that was refused, and of a life that is not closed, something may be on its way to the log: it does not go on.
		if (!clean || booted === null) this.ground.disk.onCompletion = () => {};
		await this.ground.close();
	}

	/** Nothing of it runs any more, and nothing is closed: as by SIGKILL, where nobody else takes the locks. */
	kill(): void {
		this.ended = true;
		this.booted?.driver.end();
	}

	/** What clients can see now. */
	look(): Contents {
		const { booted } = this;
		if (booted === null) throw new Error("nobody is there to be looked at");
		const { store, auth, alarms } = booted.driver;
		const work = store.hashKv(0);
		if ("ok" in work) throw new Error("the present state has no hash");
		while (!work.step(1_000));
		const { hash, hashRevision, compactRevision } = work.result();
		const tables = {
			leases: store.leases.ids().map((id) => ({ id, ttl: store.leases.get(id)?.ttl ?? 0, keys: store.leases.get(id)?.keys() ?? [] })),
			users: auth.userNames.map((name) => ({ name, roles: auth.user(name)?.roles ?? [] })),
			roles: auth.roleNames.map((name) => ({ name, keys: auth.role(name)?.permissions.map(({ key }) => key) ?? [] })),
			alarms: alarms.map(({ member, alarm }) => ({ member, type: alarm })),
		};
		return { revision: hashRevision, hash, compactRevision, tables: textOfTables(tables) };
	}

	private die(reason: string): void {
		this.words ??= reason;
		this.ended = true;
	}

	private guard(work: () => void): () => void {
		return () => {
			if (this.ended) return;
			try {
				work();
			} catch (error) {
				this.broken(error);
			}
		};
	}

	private readonly scheduler: Scheduler = {
		soon: (work) => this.ground.scheduler.soon(this.guard(work)),
		after: (ms, work) => this.ground.scheduler.after(ms, this.guard(work)),
	};
}
