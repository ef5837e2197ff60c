import { join, resolve } from "node:path";
import type { NodeId } from "@flotilla/raft";
import type { ReplicaStatus } from "@flotilla/replica";
import { ETCD_LEVEL } from "./cli/version.ts";
import { type ClientSide, openClientSide } from "./client-side.ts";
import type { FileDisk } from "./disk/file-ops.ts";
import { NodeDisk } from "./disk/node-disk.ts";
import { type Booted, bootMember } from "./driver/boot.ts";
import { DATA_DIR_DONE, MEMBER_REMOVED, type StartRefusal } from "./driver/refusal.ts";
import type { MethodTable } from "./front/seam.ts";
import { assertMemberConfig, type MemberConfig, quotaBytes } from "./member-config.ts";
import { makeMemberFolder, TAP_SOCKET } from "./member-folder.ts";
import { type MemberParts, stopParts } from "./member-stop.ts";
import { type MemberTls, openMemberTls } from "./member-tls.ts";
import { nodeBytes } from "./node-bytes.ts";
import { nodeClock, nodeDice, nodeScheduler } from "./node-ports.ts";
import { askOthersOver } from "./peers/ask-others.ts";
import { stateDoorsOver } from "./peers/state-doors.ts";
import { TcpPeerTransport } from "./peers/tcp-transport.ts";
import type { PeerTransport, Scheduler, StoreHouse } from "./ports.ts";
import { assertPortsFree } from "./ports-free.ts";
import { openTokens } from "./services/auth/open-tokens.ts";
import type { TokenProvider } from "./services/auth/token-provider.ts";
import { startAutoCompaction } from "./services/auto-compaction.ts";
import { watchSpace } from "./services/space-watch.ts";
import { LevelHouse } from "./stores/level-house.ts";
import { EventTap } from "./tap/event-tap.ts";
import { type Logger, openLogger } from "./tap/logger.ts";
import { logTap } from "./tap/tap-log.ts";
import { TapSocket } from "./tap/tap-socket.ts";

/** A member that runs in this process. */
export interface Member {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	/** `http://host:port`, with the ports that were really taken. */
	readonly clientUrls: readonly string[];
	readonly peerUrls: readonly string[];
	readonly tap: EventTap;
	/** Resolves when the member serves clients; never, when it ends before. */
	readonly ready: Promise<void>;
	/** Resolves once, when all is closed. */
	readonly ended: Promise<MemberEnd>;
	status(): ReplicaStatus;
	/** Hands leadership over, finishes what is in flight, closes everything; bounded. The same promise on each call. */
	stop(): Promise<void>;
}

/** `failed` comes only where `onFatal` keeps the process alive: the folder must not be used again in it. */
export type MemberEnd =
	| { readonly reason: "stopped" }
	| { readonly reason: "removed" }
	| { readonly reason: "failed"; readonly text: string };

export interface MemberHooks {
	/**
	 * The log or the store failed: nothing may be done with them any more (rule W4). The line is logged already; the
	 * default ends the process.
	 */
	readonly onFatal?: (text: string) => void;
	/** The default opens the outputs that the configuration names. */
	readonly logger?: Logger;
	readonly around?: PartsAround;
}

/** What a test build puts around parts of a member; a normal one puts nothing there. */
export interface PartsAround {
	disk(disk: FileDisk): FileDisk;
	stores(stores: StoreHouse): StoreHouse;
	transport(transport: PeerTransport): PeerTransport;
	methods(methods: MethodTable): MethodTable;
}

/** Exit status after a failed write: not that of a refused start, so that a supervisor may try again. */
export const FATAL_STATUS = 1;

/** The data folder, the log or a port does not let the member start. Nothing is left open. */
export class StartError extends Error {
	override readonly name = "StartError";
	/** Null: not the data folder's fault (a port, rights). */
	readonly refusal: StartRefusal | null;
	constructor(text: string, refusal: StartRefusal | null) {
		super(text);
		this.refusal = refusal;
	}
}

/** Starts a member; resolves when its ports are open, `ready` tells when it serves. Rejects with `StartError`. */
export async function startMember(config: MemberConfig, hooks: MemberHooks = {}): Promise<Member> {
	assertMemberConfig(config);
	const logger =
		hooks.logger ??
		openLogger({
			level: config.logLevel,
			format: config.logFormat,
			wallMs: () => nodeClock.wallMs(),
			outputs: config.logOutputs,
		});
	const tap = new EventTap({ member: config.memberId }, nodeClock);
	await assertPortsFree([...config.listenPeerUrls, ...config.listenClientUrls]).catch(refuseStart);
	const endLogging = logTap(tap, logger);
	const tokens = orRefuse(() => openTokens(config.authToken, nodeClock));
	const tls = orRefuse(() => openMemberTls(config, tap));
	const running = new RunningMember(config, hooks, logger, tap, { tls, tokens });
	await running.start().catch((error) => {
		endLogging();
		refuseStart(error);
	});
	void running.ended.then(() => {
		endLogging();
		logger.flush();
	});
	return running;
}

function orRefuse<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		return refuseStart(error);
	}
}

function refuseStart(error: unknown): never {
	throw error instanceof StartError ? error : new StartError(error instanceof Error ? error.message : String(error), null);
}

/** The lines that etcd ends with when its member was removed. */
export function tellRemoval(logger: Logger): void {
	logger.error("server error", { error: MEMBER_REMOVED });
	logger.warn(DATA_DIR_DONE);
}

/** What the flags name files for. Read before the data folder is made. */
interface FromFiles {
	readonly tls: MemberTls;
	readonly tokens: TokenProvider;
}

class RunningMember implements Member {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	readonly tap: EventTap;
	readonly ready: Promise<void>;
	readonly ended: Promise<MemberEnd>;
	clientUrls: readonly string[] = [];
	peerUrls: readonly string[] = [];
	private readonly config: MemberConfig;
	private readonly hooks: MemberHooks;
	private readonly tls: MemberTls;
	private readonly tokens: TokenProvider;
	private readonly logger: Logger;
	private readonly disk: NodeDisk;
	private readonly stores: LevelHouse;
	private readonly tapPath: string;
	private becomeReady: () => void = () => {};
	private end: (end: MemberEnd) => void = () => {};
	private parts: MemberParts | null = null;
	private stopping: Promise<void> | null = null;
	private failed = false;
	/** Said by the cluster before all parts stood. */
	private removedEarly = false;

	constructor(config: MemberConfig, hooks: MemberHooks, logger: Logger, tap: EventTap, { tls, tokens }: FromFiles) {
		this.tls = tls;
		this.tokens = tokens;
		this.memberId = config.memberId;
		this.clusterId = config.clusterId;
		this.config = config;
		this.hooks = hooks;
		this.logger = logger;
		this.tap = tap;
		this.ready = new Promise((resolve) => {
			this.becomeReady = resolve;
		});
		this.ended = new Promise((resolve) => {
			this.end = resolve;
		});
		const folder = makeMemberFolder(resolve(config.dataDir));
		if (folder.looseMode !== null) {
			const recommended = "0700";
			logger.warn("the data folder can be entered by others than its owner", { path: config.dataDir, mode: folder.looseMode, recommended });
		}
		this.disk = new NodeDisk(folder.path);
		this.stores = new LevelHouse(folder.path);
		this.tapPath = join(resolve(config.dataDir), TAP_SOCKET);
	}

	async start(): Promise<void> {
		const { config, tap } = this;
		const { name, dataDir, clusterId } = config;
		const booted = await this.boot();
		// On a first start nobody knows it; later it comes with the state.
		const clusterVersion = booted.driver.status().clusterVersion.replace(/\.\d+$/, "") || "to_be_decided";
		tap.emit("starting", 0, 0, { name, dataDir, clusterId, localServerVersion: ETCD_LEVEL, clusterVersion });
		const transport = new TcpPeerTransport(
			{
				memberId: config.memberId,
				clusterId: config.clusterId,
				incarnation: booted.incarnation,
				listenPeerUrls: config.listenPeerUrls,
				tls: this.tls.peers,
				electionTimeoutMs: config.electionMs,
				clock: nodeClock,
				scheduler: nodeScheduler,
				dice: nodeDice(),
				bytes: nodeBytes,
				members: () => booted.driver.acquaintances,
				state: () => booted.driver.giveState(),
				term: () => booted.driver.status().core.term,
			},
			booted.driver,
			tap,
		);
		let clients: ClientSide;
		try {
			this.peerUrls = await transport.listen();
			clients = await openClientSide(config, booted.driver, {
				clock: nodeClock,
				scheduler: nodeScheduler,
				bytes: nodeBytes,
				tap: this.tap,
				figures: booted.driver.figures,
				peers: () => transport.stats(),
				tokens: this.tokens,
				tls: this.tls.clients,
				around: (methods) => this.hooks.around?.methods(methods) ?? methods,
			});
		} catch (error) {
			await transport.close();
			booted.driver.end();
			await new Promise<void>((done) => booted.close(done));
			throw error;
		}
		this.clientUrls = clients.urls;
		const tapSocket = new TapSocket(this.tapPath, tap, nodeScheduler, (error) =>
			this.logger.warn("the event tap cannot be read from outside", { path: this.tapPath, error: error.message }),
		);
		this.parts = { booted, transport, clients, tapSocket, disk: this.disk };
		tap.emit("listening", 0, 0, { clientUrls: this.clientUrls.join(","), peerUrls: this.peerUrls.join(",") });
		this.watchStore(booted.driver);
		this.serveWhenPublished(booted, clients);
		booted.driver.start(this.hooks.around?.transport(transport) ?? transport);
		booted.driver.publish(config.name, config.advertiseClientUrls);
		if (this.removedEarly) this.leave();
	}

	status(): ReplicaStatus {
		return (this.parts as MemberParts).booted.driver.status();
	}

	stop(): Promise<void> {
		this.stopping ??= this.stopParts({ reason: "stopped" });
		return this.stopping;
	}

	private boot(): Promise<Booted> {
		const { tap } = this;
		const disk = this.hooks.around?.disk(this.disk) ?? this.disk;
		const stores = this.hooks.around?.stores(this.stores) ?? this.stores;
		return new Promise((done, refuse) => {
			const world = {
				...{ clock: nodeClock, scheduler: this.scheduler, tap, disk, stores, bytes: nodeBytes, dice: nodeDice() },
				die: (reason: string) => this.die(reason),
				removed: () => this.leave(),
				askOthers: askOthersOver(this.tls.peers),
				stateDoors: stateDoorsOver(nodeBytes, this.tls.peers),
			};
			bootMember(this.config, world, (outcome) => {
				if (outcome.ok) done(outcome.booted);
				else refuse(new StartError(outcome.refusal.text, outcome.refusal));
			});
		});
	}

	/** Compaction by the clock, and words while there is still space. */
	private watchStore(driver: Booted["driver"]): void {
		const { config, logger } = this;
		const stopCompaction = startAutoCompaction(config.autoCompaction, {
			...{ member: driver, clock: nodeClock, scheduler: nodeScheduler },
			log: (level, msg, fields) => logger.write(level, msg, fields, "services/auto-compaction.ts"),
		});
		const quota = quotaBytes(config);
		const space = watchSpace(quota, (percent, usedBytes) =>
			logger.warn(`the key space takes ${percent} % of its quota: compact, delete keys or raise --quota-backend-bytes`, {
				"used-bytes": usedBytes,
				"quota-bytes": quota,
			}),
		);
		driver.afterTurns(() => space.look(driver.store.logicalBytes));
		void this.ended.then(stopCompaction);
	}

	/** A member answers nobody before it has applied its own announcement (decisions on headers). */
	private serveWhenPublished(booted: Booted, clients: ClientSide): void {
		const { driver, report } = booted;
		const unwatch = driver.afterTurns(() => {
			// The others were asked before; here ends one that nobody told then, because they were away or lagged.
			if (booted.livesKnown && driver.ranBefore) {
				unwatch();
				if (report.made) booted.noteLostFolder(() => this.die(this.describeLostFolder()));
				// Not noted: the log shows it again at each start, and whoever must go on alone may do so from this folder.
				else this.die(OLD_COPY);
				return;
			}
			const { published, core } = driver.status();
			if (published) {
				unwatch();
				clients.serve();
				this.tap.emit("ready", core.term, core.applied, { name: this.config.name });
				this.becomeReady();
			}
		});
	}

	/** An id lives as long as its data folder: with the folder, the member has forgotten its votes and what it acknowledged. */
	private describeLostFolder(): string {
		return `member ${this.memberId.toString(16)} has already been bootstrapped, but its data folder was empty. ${LOST_FOLDER}`;
	}

	/** An invariant is broken. Without a hook the exception ends the process, as any other would. */
	private broken(error: unknown): void {
		const driver = this.parts?.booted.driver;
		// The core meets a leader that remembers more of this member than the member itself.
		if (this.parts?.booted.report.made === true && this.config.initialClusterState === "new" && driver?.status().published === false)
			this.die(this.describeLostFolder());
		else if (this.hooks.onFatal === undefined) throw error;
		else this.die(error instanceof Error ? error.message : String(error));
	}

	private guarded(work: () => void): () => void {
		return () => {
			try {
				work();
			} catch (error) {
				this.broken(error);
			}
		};
	}

	private readonly scheduler: Scheduler = {
		soon: (work) => nodeScheduler.soon(this.guarded(work)),
		after: (ms, work) => nodeScheduler.after(ms, this.guarded(work)),
	};

	private die(reason: string): void {
		if (this.failed) return;
		this.failed = true;
		this.logger.fatal(reason, { "local-member-id": this.memberId.toString(16) });
		const { onFatal } = this.hooks;
		if (onFatal === undefined) process.exit(FATAL_STATUS);
		onFatal(reason);
		this.stopping = this.dropParts().then(() => this.end({ reason: "failed", text: reason }));
	}

	private leave(): void {
		if (this.parts === null) {
			this.removedEarly = true;
			return;
		}
		tellRemoval(this.logger);
		this.stopping ??= this.leaveForGood(this.parts);
	}

	private async leaveForGood({ booted }: MemberParts): Promise<void> {
		await new Promise<void>((done) => booted.noteRemoval(done));
		await this.stopParts({ reason: "removed" });
	}

	private async stopParts(end: MemberEnd): Promise<void> {
		const { parts } = this;
		if (parts === null || this.failed) return;
		this.tap.emit("stopping", 0, 0, { name: this.config.name });
		await stopParts(parts, nodeScheduler);
		this.tap.emit("stopped", 0, 0, { name: this.config.name });
		this.end(end);
	}

	/** After a failure: nothing more is written, the sockets are closed. */
	private async dropParts(): Promise<void> {
		const { parts } = this;
		if (parts === null) return;
		parts.booted.driver.end();
		await Promise.all([parts.clients.close(0), parts.transport.close(), parts.tapSocket.close()]);
	}
}

const OLD_COPY =
	"this member has run with a newer data folder: an old copy was put back, or a copy is used elsewhere. " +
	"Put back the newest data folder, or remove this member from the cluster (etcdctl member remove) and add it anew with an empty data folder";

const LOST_FOLDER =
	"Restore the data folder from a copy, or remove this member from the cluster (etcdctl member remove) and add it anew with an empty data folder";
