/** Faults of the disk under a real process: by a tracer that changes what system calls return, or by changing files between two lives. */
import { type ChildProcess, spawn } from "node:child_process";
import { open, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Dice } from "@flotilla/base";
import { FLOTILLA_PROGRAM } from "../../process/cluster.ts";
import { runTool } from "../../process/tools.ts";
import type { StageMember } from "../stage.ts";
import { who, whole } from "./details.ts";
import { choose, type Fault, type FaultWorld, holding, lasting, startIfEnded, startWhenEnded } from "./fault.ts";
import { OPERATIONS } from "./operations.ts";

/** Writes and syncs of the log: flotilla's are writes on O_DSYNC descriptors, etcd's are writes followed by fdatasync. */
const LOG_CALLS = { flotilla: "pwrite64", etcd: "fdatasync" } as const;

const ONE = { who: who("one") } as const;
const TRACER = ["strace", "root"] as const;
type Strike = (world: FaultWorld, details: { readonly who: string }, forMs: number) => Promise<readonly string[] | null>;

interface Tracer {
	/** Takes its hands off, and tells whether a call was changed. */
	stop(): Promise<boolean>;
}

/** Follows a running process and changes its calls on the files of its log. Null where the process ends meanwhile. */
async function trace({ stage }: FaultWorld, member: StageMember, inject: string): Promise<Tracer | null> {
	const call = LOG_CALLS[stage.options.program];
	const wal = join(member.dataDir, "member", "wal");
	const paths = (await readdir(wal)).flatMap((file) => ["-P", join(wal, file)]);
	if (!member.process.running) return null;
	const told = join(stage.folder, `${member.name}.trace`);
	const args = ["-f", "-qq", "-p", String(member.process.pid), "-e", `trace=${call}`, "-e", `inject=${call}:${inject}`, "-o", told];
	const tracer: ChildProcess = spawn("strace", [...args, ...paths], { stdio: ["ignore", "ignore", "pipe"] });
	let words = "";
	tracer.stderr?.setEncoding("utf8").on("data", (text: string) => {
		words = (words + text).slice(-500);
	});
	const ended = new Promise<number | null>((resolve, reject) => {
		tracer.once("error", reject);
		tracer.once("close", resolve);
	});
	// Looked at by `stop`.
	ended.catch(() => {});
	const { pid } = tracer;
	if (pid !== undefined) stage.deadMan.watch(pid);
	return {
		async stop() {
			tracer.kill("SIGINT");
			const status = await ended;
			if (pid !== undefined) stage.deadMan.forget(pid);
			// A process that ends takes its tracer along, which may not even have begun.
			if (status === 1 && member.process.running) throw new Error(`${member.name} cannot be traced: ${words.trim()}`);
			const changed = await readFile(told, "utf8").catch(() => "");
			await rm(told, { force: true });
			return /\((INJECTED|DELAYED)\)/.test(changed);
		},
	};
}

async function files(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** One bit of one file that holds data. Null when there is none. */
async function flipBit(dice: Dice, folder: string): Promise<string | null> {
	const sizes = await Promise.all((await files(folder)).map(async (path) => ({ path, bytes: (await stat(path)).size })));
	const full = sizes.filter(({ bytes }) => bytes > 0);
	if (full.length === 0) return null;
	const { path, bytes } = dice.pick(full);
	const file = await open(path, "r+");
	try {
		const at = dice.range(0, bytes - 1);
		const byte = Buffer.alloc(1);
		await file.read(byte, 0, 1, at);
		await file.write(Buffer.of((byte[0] as number) ^ (1 << dice.range(0, 7))), 0, 1, at);
		return `${path.slice(folder.length + 1)} at ${at}`;
	} finally {
		await file.close();
	}
}

/** Writes half of something behind the last frame, as a power cut in the middle of a write would. */
async function tearTail(dice: Dice, member: StageMember): Promise<string | null> {
	const { stdout } = await runTool(FLOTILLA_PROGRAM, ["log", "dump", member.dataDir, "--value-bytes", "0"]);
	const lines = stdout
		.split("\n")
		.filter((line) => line.startsWith("{"))
		.map((line) => JSON.parse(line) as Record<string, unknown>);
	const end = lines.findLast(({ type }) => type === "end");
	const segment = lines.findLast(({ type }) => type === "segment");
	if (typeof end?.offset !== "number" || typeof segment?.file !== "string") return null;
	const file = await open(join(member.dataDir, "member", segment.file), "r+");
	try {
		const garbage = Buffer.from(Array.from({ length: dice.range(1, 600) }, () => dice.range(0, 255)));
		await file.write(garbage, 0, garbage.length, end.offset);
		return `${garbage.length} bytes at ${end.offset} of ${segment.file}`;
	} finally {
		await file.close();
	}
}

/**
 * Starts a member whose files were changed. It serves again, or it refuses and is replaced as an operator would: what it may not
 * do is to serve something else than the others, which the verdict finds.
 */
export async function startOrReplace(world: FaultWorld, member: StageMember, forMs: number): Promise<void> {
	try {
		await world.stage.startMember(member, 60_000);
		world.note(`${member.name} serves again`);
	} catch {
		const { tail } = member.process;
		world.note(
			`${member.name} refused to start: ${
				tail
					.split("\n")
					.filter((line) => line.includes("fatal") || line.includes("panic"))
					.at(-1) ?? tail.slice(-300)
			}`,
		);
		await member.process.kill("SIGKILL");
		member.held = false;
		await replaceDead(world, member, forMs);
	}
}

async function replaceDead(world: FaultWorld, member: StageMember, forMs: number): Promise<void> {
	// What the fault below chooses must run; this one is dead and goes the same way.
	await OPERATIONS["replace-dead"]?.strike(world, { who: member.name }, Math.min(forMs, 500));
}

/** Only while all others are whole: a second copy must not be lost by the tester's hand. */
function othersWhole(world: FaultWorld, member: StageMember): boolean {
	return world.stage.present.every((other) => other === member || (!other.held && other.process.running));
}

interface FileChange {
	readonly about: string;
	readonly programs?: readonly string[];
	/** A start that succeeds has not mended it, since a member reads some of its files later. */
	readonly stays?: boolean;
	/** What was changed, or null. */
	readonly change: (world: FaultWorld, member: StageMember) => Promise<string | null>;
}

function changedFiles({ change, stays = false, ...words }: FileChange): Fault {
	const strike: Strike = async (world, details, forMs) => {
		const [member] = (await choose(world, details.who)) ?? [];
		if (member === undefined || world.stage.present.length < 3 || !othersWhole(world, member)) return null;
		return holding([member], async () => {
			world.stage.doom(member);
			await member.process.kill("SIGKILL");
			const what = await change(world, member);
			member.damaged = what !== null && stays;
			if (what !== null) world.note(`${member.name}: ${what}`);
			await world.pause(forMs);
			await startOrReplace(world, member, forMs);
		});
	};
	return lasting({ ...words, details: ONE, membersMin: 3, strike });
}

const BALLAST = "ballast";
const REFILL_MS = 200;
/** One that is never full fails the run that wants it full. */
const REFILL_MAX_MS = 30_000;
const BALLAST_CHUNKS = [1 << 20, 4 << 10];

/** Writes until nothing more fits. */
async function fill(path: string): Promise<void> {
	const file = await open(path, "a");
	try {
		for (const bytes of BALLAST_CHUNKS) {
			const zeros = Buffer.alloc(bytes);
			while (await fits(() => file.write(zeros)));
		}
	} finally {
		await file.close();
	}
}

async function fits(write: () => Promise<unknown>): Promise<boolean> {
	try {
		await write();
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
		throw error;
	}
}

const fullDisk: Strike = async (world, details, forMs) => {
	const [member] = (await choose(world, details.who)) ?? [];
	if (member === undefined) return null;
	const ballast = join(member.dataDir, BALLAST);
	return holding([member], async () => {
		world.stage.doom(member);
		const endMs = performance.now() + forMs;
		// The member may remove a file of its own at any moment: that it was full at some moment is what counts.
		let blocks = Number.POSITIVE_INFINITY;
		do {
			await fill(ballast);
			blocks = Math.min(blocks, (await statfs(member.dataDir)).bavail);
			await world.pause(Math.min(REFILL_MS, forMs));
		} while (performance.now() < (blocks > 0 ? endMs + REFILL_MAX_MS : endMs) && (blocks > 0 || !world.ending()));
		await rm(ballast, { force: true });
		const ended = await startIfEnded(world, member);
		world.note(`${member.name} had ${blocks} blocks left, and ${ended === null ? "went on" : "ended"}`);
	});
};

/** `ends`: no member survives what is injected. */
async function traced(
	world: FaultWorld,
	chosenBy: string,
	{ inject, ends, forMs }: { readonly inject: () => string; readonly ends: boolean; readonly forMs: number },
): Promise<readonly string[] | null> {
	const members = await choose(world, chosenBy);
	if (members === null) return null;
	const struck = await Promise.all(members.map((member) => meet(world, member, inject(), { ends, forMs })));
	const met = struck.flatMap((names) => names ?? []);
	return met.length === 0 ? null : met;
}

/** One member meets it for so long. */
async function meet(
	world: FaultWorld,
	member: StageMember,
	inject: string,
	{ ends, forMs }: { readonly ends: boolean; readonly forMs: number },
): Promise<readonly string[] | null> {
	let begun = false;
	const held = await holding([member], async () => {
		const tracer = await trace(world, member, inject);
		begun = tracer !== null;
		const doomed = ends && begun ? world.stage.doom(member) : null;
		await world.pause(begun ? forMs : 0);
		const changed = (await tracer?.stop()) ?? false;
		world.note(`${member.name}: ${changed ? "met it" : "wrote nothing that it would have met"}`);
		// A member that met the error ends by itself; one that was idle meanwhile goes on.
		if (ends && changed) world.note(`${member.name} ended: ${await startWhenEnded(world, member, "an error of its log")}`);
		else {
			doomed?.spare();
			await startIfEnded(world, member, 0);
		}
	});
	return begun ? held : null;
}

export const DISK_FAULTS: Readonly<Record<string, Fault>> = {
	"slow-disk": lasting({
		about: "each write of the log takes longer",
		details: { ...ONE, delay: whole(200, { min: 1, max: 60_000, unit: "ms" }) },
		needs: TRACER,
		strike: (world, details, forMs) =>
			traced(world, details.who, { inject: () => `delay_exit=${details.delay * 1_000}`, ends: false, forMs }),
	}),
	"failing-disk": lasting({
		about: "a write or sync of the log fails with EIO: the process must end",
		details: ONE,
		needs: TRACER,
		strike: (world, details, forMs) =>
			traced(world, details.who, { inject: () => `error=EIO:when=${world.dice.range(1, 40)}`, ends: true, forMs }),
	}),
	"full-disk": lasting({
		about: "the disk of a member is full, and has room again later: it refuses or ends, and comes back without help",
		details: ONE,
		needs: ["mount", "root"],
		strike: fullDisk,
	}),
	"torn-tail": changedFiles({
		about: "kill -9, and half of a write behind the end of the log",
		programs: ["flotilla"],
		change: ({ dice }, member) => tearTail(dice, member),
	}),
	"flipped-bit": changedFiles({
		about: "kill -9, and one bit of the data folder changed: the member recovers, refuses and is replaced, or is none the worse",
		programs: ["flotilla"],
		stays: true,
		change: ({ dice }, member) => flipBit(dice, join(member.dataDir, "member")),
	}),
	"lost-folder": changedFiles({
		about: "kill -9, and the data folder gone: the member must not come back under its old id, and is replaced",
		change: async (_, member) => {
			await rm(member.dataDir, { recursive: true, force: true });
			return "data folder removed";
		},
	}),
};
