/** Faults of the disk under a real process: by a tracer that changes what system calls return, or by changing files between two lives. */
import { type ChildProcess, spawn } from "node:child_process";
import { open, readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Dice } from "@flotilla/base";
import { FLOTILLA_PROGRAM } from "../../process/cluster.ts";
import { runTool } from "../../process/tools.ts";
import type { StageMember } from "../stage.ts";
import { choose, type Fault, type FaultWorld, holding, numberOf, startIfEnded, textOf } from "./fault.ts";
import { OPERATIONS } from "./operations.ts";

/** Writes and syncs of the log: flotilla's are writes on O_DSYNC descriptors, etcd's are writes followed by fdatasync. */
const LOG_CALLS = { flotilla: "pwrite64", etcd: "fdatasync" } as const;

/** Follows a running process and changes its calls on the files of its log. Ends with `stop`, or with the process. */
async function trace(world: FaultWorld, member: StageMember, inject: string): Promise<{ stop(): Promise<void> }> {
	const call = LOG_CALLS[world.stage.options.program];
	const wal = join(member.dataDir, "member", "wal");
	const paths = (await readdir(wal)).flatMap((file) => ["-P", join(wal, file)]);
	const args = ["-f", "-qq", "-p", String(member.process.pid), "-e", `trace=${call}`, "-e", `inject=${call}:${inject}`, "-o", "/dev/null"];
	const tracer: ChildProcess = spawn("strace", [...args, ...paths], { stdio: "ignore" });
	const { deadMan } = world.stage;
	const pid = tracer.pid as number;
	deadMan.watch(pid);
	const ended = new Promise<void>((resolve) => tracer.once("exit", () => resolve()));
	return {
		async stop() {
			tracer.kill("SIGINT");
			await ended;
			deadMan.forget(pid);
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
		.trim()
		.split("\n")
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
async function startOrReplace(world: FaultWorld, member: StageMember, forMs: number): Promise<void> {
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

function changedFiles(change: (world: FaultWorld, member: StageMember) => Promise<string | null>): Fault["strike"] {
	return async (world, details, forMs) => {
		const [member] = (await choose(world, textOf(details, "who", "one"))) ?? [];
		if (member === undefined || world.stage.present.length < 3 || !othersWhole(world, member)) return null;
		return holding([member], async () => {
			await member.process.kill("SIGKILL");
			const what = await change(world, member);
			if (what !== null) world.note(`${member.name}: ${what}`);
			await world.pause(forMs);
			await startOrReplace(world, member, forMs);
		});
	};
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

const fullDisk: Fault["strike"] = async (world, details, forMs) => {
	const [member] = (await choose(world, textOf(details, "who", "one"))) ?? [];
	if (member === undefined) return null;
	const ballast = join(member.dataDir, BALLAST);
	return holding([member], async () => {
		const endMs = performance.now() + forMs;
		// The member may remove a file of its own at any moment: that it was full at some moment is what counts.
		let blocks = Number.POSITIVE_INFINITY;
		do {
			await fill(ballast);
			blocks = Math.min(blocks, (await statfs(member.dataDir)).bavail);
			await world.pause(Math.min(REFILL_MS, forMs));
		} while (performance.now() < (blocks > 0 ? endMs + REFILL_MAX_MS : endMs) && (blocks > 0 || !world.ending()));
		await rm(ballast);
		const ended = await startIfEnded(world, member);
		world.note(`${member.name} had ${blocks} blocks left, and ${ended === null ? "went on" : "ended"}`);
	});
};

function traced(injectOf: (world: FaultWorld, details: Parameters<Fault["strike"]>[1]) => string, restarts: boolean): Fault["strike"] {
	return async (world, details, forMs) => {
		const [member] = (await choose(world, textOf(details, "who", "one"))) ?? [];
		if (member === undefined) return null;
		return holding([member], async () => {
			const tracer = await trace(world, member, injectOf(world, details));
			await world.pause(forMs);
			await tracer.stop();
			if (!restarts) return;
			// A member that met the error ends by itself; one that was idle meanwhile goes on.
			await startIfEnded(world, member);
		});
	};
}

export const DISK_FAULTS: Readonly<Record<string, Fault>> = {
	"slow-disk": {
		about: "writes of the log take longer (delay in ms)",
		needs: ["strace", "root"],
		strike: traced((_, details) => `delay_exit=${Math.round(numberOf(details, "delay", 200) * 1_000)}`, true),
	},
	"failing-disk": {
		about: "a write or sync of the log fails with EIO: the process must end",
		needs: ["strace", "root"],
		strike: traced(({ dice }) => `error=EIO:when=${dice.range(1, 40)}`, true),
	},
	"full-disk": {
		about: "the disk of a member is full, and has room again later: it refuses or ends, and comes back without help",
		needs: ["mount", "root"],
		strike: fullDisk,
	},
	"torn-tail": {
		about: "kill -9, and half of a write behind the end of the log",
		programs: ["flotilla"],
		strike: changedFiles(({ dice }, member) => tearTail(dice, member)),
	},
	"flipped-bit": {
		about: "kill -9, and one bit of the data folder changed: the member recovers, refuses and is replaced, or is none the worse",
		programs: ["flotilla"],
		strike: changedFiles(({ dice }, member) => flipBit(dice, join(member.dataDir, "member"))),
	},
	"lost-folder": {
		about: "kill -9, and the data folder gone: the member must not come back under its old id, and is replaced",
		strike: changedFiles(async (_, member) => {
			await rm(member.dataDir, { recursive: true, force: true });
			return "data folder removed";
		}),
	},
};
