/** The process of one member: from the options to its end, with etcd's log lines and exit statuses. */
import { lookup } from "node:dns/promises";
import { access, readFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { nothingToForce } from "../driver/force-cluster.ts";
import { decodeFormat, FORMAT_FILE } from "../driver/format-file.ts";
import { START_REFUSED_STATUS } from "../driver/refusal.ts";
import { refuseEtcdFolder } from "../etcd-folder.ts";
import { type Member, type MemberHooks, StartError, startMember, tellRemoval } from "../member.ts";
import { MEMBER_FOLDER } from "../member-folder.ts";
import { type Logger, openLogger } from "../tap/logger.ts";
import { LiveTls } from "../tls/live-tls.ts";
import { type Bootstrap, planFirstStart, planRestart } from "./bootstrap.ts";
import { countBuffersApart } from "./collector.ts";
import type { RunOutcome } from "./command-line.ts";
import { askFirst } from "./first-start.ts";
import { notifyInitDaemon } from "./init-daemon.ts";
import { type AskForView, askOver, planJoin } from "./join.ts";
import { bad, good, type Parsed } from "./parsed.ts";
import { endBySignal, onStopRequest, type StopRequest } from "./stop-request.ts";
import { ETCD_LEVEL } from "./version.ts";

const CALLER = "cli/run-member.ts";
/** A broken invariant: what Go programs end with when they panic. */
const PANIC_STATUS = 2;
const FAILED_STATUS = 1;
const LAST_LINES_MS = 500;

/** `hooks`: what a test build adds. */
export async function runMember({ options, bootstrap, notes }: RunOutcome, hooks: Pick<MemberHooks, "around"> = {}): Promise<void> {
	// Whatever makes a file, LevelDB too: nobody but the owner reads it.
	process.umask(0o077);
	// By itself Node keeps compiled code only at an orderly exit, which a signal is not: until then every start would parse all sources
	// anew, and keep what strips their types in memory, 22 MB of it. Nothing is written where all is kept already.
	flushCompileCache();
	countBuffersApart();
	const logger = await openLogs(options);
	for (const { level, msg, fields } of notes) logger.write(level, msg, fields, CALLER);
	process.on("uncaughtException", (error) => {
		logger.write("panic", error.message, { stacktrace: error.stack ?? "" }, CALLER);
		// At once: with a broken invariant nothing may go on, not even for a moment.
		logger.flush();
		process.exit(PANIC_STATUS);
	});
	// Before anybody is asked who this member is: all else that could be said of such a folder leads astray.
	const foreign = await refuseEtcdFolder(options.dataDir);
	if (foreign !== null) return fail(logger, "cannot start", foreign.text, START_REFUSED_STATUS);
	if (options.forceNewCluster && !(await holdsMember(options.dataDir))) {
		return fail(logger, "cannot start", nothingToForce("no such file").message, START_REFUSED_STATUS);
	}
	const ids = await identify(options, bootstrap).catch((error: Error) => bad(error.message));
	if (!ids.ok) return fail(logger, "discovery failed", ids.reason, FAILED_STATUS);
	logger.write("info", "configuring peer listeners", { "listen-peer-urls": options.listenPeerUrls }, CALLER);
	logger.write("info", "configuring client listeners", { "listen-client-urls": options.listenClientUrls }, CALLER);
	logger.write("info", "starting an etcd server", describeOptions(options, bootstrap.initialCluster), CALLER);
	let member: Member | null = null;
	const asked = onStopRequest(process.env, (request) => {
		logger.write("info", "received signal; shutting down", { signal: request.describe }, CALLER);
		// Before the ports are open nothing was promised: dying is as good as stopping.
		if (member === null) void end(logger, request);
		else void member.stop();
	});
	try {
		member = await startMember({ ...options, ...ids.value }, { ...hooks, logger });
	} catch (error) {
		return failStart(logger, error as Error);
	}
	void member.ready.then(() => {
		notifyInitDaemon(process.env, logger);
		const traffic = options.listenClientHttpUrls.length > 0 ? "grpc" : "grpc+http";
		const served = [
			...(member?.clientUrls ?? []).map((url) => [url, traffic] as const),
			...options.listenClientHttpUrls.map((url) => [url, "http"] as const),
		];
		for (const [url, kind] of served) {
			const secure = url.startsWith("https:");
			const msg = secure ? "serving client traffic securely" : "serving client traffic insecurely; this is strongly discouraged!";
			logger.write("info", msg, { traffic: kind, address: url.replace(/^https?:\/\//, "") }, CALLER);
		}
	});
	await member.ended;
	await end(logger, asked());
}

/** With hyphens, as etcd writes them. */
function describeOptions(options: RunOutcome["options"], initialCluster: string): Readonly<Record<string, unknown>> {
	const hyphenated = Object.entries(options).map(([name, value]) => [
		name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
		value as unknown,
	]);
	return { "etcd-version": ETCD_LEVEL, ...Object.fromEntries(hyphenated), "initial-cluster": initialCluster };
}

/** Nothing else may keep the process alive once the member has ended. */
async function end(logger: Logger, request: StopRequest | null): Promise<void> {
	await lastLines(logger);
	endBySignal(request?.signal ?? null);
}

/** What is under way to a log file would be cut off; a reader that is stuck is not waited for. */
async function lastLines(logger: Logger): Promise<void> {
	await Promise.race([logger.settled(), new Promise((late) => setTimeout(late, LAST_LINES_MS))]);
	logger.flush();
}

async function openLogs({ logLevel: level, logFormat: format, logOutputs: outputs }: RunOutcome["options"]): Promise<Logger> {
	const common = { level, format, wallMs: () => Date.now() };
	try {
		return openLogger({ ...common, outputs });
	} catch (error) {
		const logger = openLogger({ ...common, outputs: ["stderr"] });
		return fail(logger, "failed to open the log outputs", (error as Error).message, FAILED_STATUS);
	}
}

/** The data folder, a port, or what the file system says of the folder's place; anything else is a bug. */
async function failStart(logger: Logger, error: Error): Promise<never> {
	const refusal = error instanceof StartError ? error.refusal : null;
	if (refusal?.code === "removed") {
		// Not a failure: there is nothing left to do for this member, and nothing to try again.
		tellRemoval(logger);
		await lastLines(logger);
		process.exit(0);
	}
	if (refusal !== null) return fail(logger, "cannot start", refusal.text, START_REFUSED_STATUS);
	if (error instanceof StartError) return fail(logger, "discovery failed", describeListening(error.message), FAILED_STATUS);
	if ("errno" in error) return fail(logger, "cannot start", error.message, FAILED_STATUS);
	throw error;
}

async function fail(logger: Logger, msg: string, error: string, status: number): Promise<never> {
	logger.write("fatal", msg, { error }, CALLER);
	await lastLines(logger);
	process.exit(status);
}

/** Who this member is, without touching anything: by its folder, or for the first start by the flags. */
async function identify({ dataDir, peerTls }: RunOutcome["options"], request: RunOutcome["bootstrap"]): Promise<Parsed<Bootstrap>> {
	const folder = await readFolder(join(dataDir, MEMBER_FOLDER, FORMAT_FILE));
	// The id of a member that joined does not follow from its flags.
	if (folder !== null && folder !== "unreadable") return good(folder.joined ? folder : planRestart(folder, request));
	// The start itself refuses with what is wrong with the folder: the others would only say that this member is not new.
	if (folder === "unreadable" && request.state !== "existing") return planFirstStart(request, resolveHost);
	const tls = peerTls === null ? null : new LiveTls(peerTls, () => {});
	return identifyNew(request, askOver(tls)).finally(() => tls?.close());
}

async function identifyNew(request: RunOutcome["bootstrap"], ask: AskForView): Promise<Parsed<Bootstrap>> {
	if (request.state === "existing") return planJoin(request, ask);
	const plan = await planFirstStart(request, resolveHost);
	return plan.ok ? askFirst(plan.value, ask) : plan;
}

/** So that a wrong --data-dir is not made. */
async function holdsMember(dataDir: string): Promise<boolean> {
	const missing = (error: NodeJS.ErrnoException): boolean => error.code !== "ENOENT";
	return access(join(dataDir, MEMBER_FOLDER, FORMAT_FILE)).then(() => true, missing);
}

/** Null: no member was made there, or not to the end. Unreadable: what says whose it is is damaged. */
async function readFolder(path: string): Promise<(Bootstrap & { readonly joined: boolean }) | "unreadable" | null> {
	const decoding = await readFile(path).then(decodeFormat, () => null);
	if (decoding === null) return null;
	if (!decoding.ok) return "unreadable";
	if (decoding.format.state === "making") return null;
	const { memberId, clusterId, initialMembers, joined } = decoding.format;
	return { memberId, clusterId, initialCluster: initialMembers, joined: joined === true };
}

async function resolveHost(host: string): Promise<string | null> {
	try {
		return (await lookup(host)).address;
	} catch {
		return null;
	}
}

/** Go's words for a port that cannot be had, which tools look for. */
function describeListening(message: string): string {
	const match = /^listen (EADDRINUSE|EACCES|EADDRNOTAVAIL): [^:]*?(\S+)$/.exec(message);
	if (match === null) return message;
	const words = {
		EADDRINUSE: "address already in use",
		EACCES: "permission denied",
		EADDRNOTAVAIL: "cannot assign requested address",
	}[match[1] as "EACCES"];
	return `listen tcp ${match[2]}: bind: ${words}`;
}
