/** Faults of processes: killed, stopped, stood still. */
import type { StageMember } from "../stage.ts";
import { choose, type Fault, type FaultWorld, holding, textOf } from "./fault.ts";

async function startAgain(world: FaultWorld, members: readonly StageMember[]): Promise<void> {
	// Without a quorum none of them becomes ready alone.
	await Promise.all(members.map((member) => world.stage.startMember(member)));
}

async function end({ stage }: FaultWorld, member: StageMember, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
	stage.doom(member);
	await member.process.kill(signal);
}

function ended(signal: "SIGKILL" | "SIGTERM"): Fault["strike"] {
	return async (world, details, forMs) => {
		const members = await choose(world, textOf(details, "who", "one"));
		if (members === null) return null;
		return holding(members, async () => {
			await Promise.all(members.map((member) => end(world, member, signal)));
			await world.pause(forMs);
			await startAgain(world, members);
		});
	};
}

export const PROCESS_FAULTS: Readonly<Record<string, Fault>> = {
	kill: { about: "kill -9, and a new start later", strike: ended("SIGKILL") },
	stop: { about: "a clean stop by SIGTERM, and a new start later", strike: ended("SIGTERM") },
	pause: {
		about: "the process stands still (SIGSTOP) and goes on later",
		strike: async (world, details, forMs) => {
			const members = await choose(world, textOf(details, "who", "one"));
			if (members === null) return null;
			return holding(members, async () => {
				await Promise.all(members.map((member) => member.process.kill("SIGSTOP")));
				await world.pause(forMs);
				await Promise.all(members.map((member) => member.process.kill("SIGCONT")));
			});
		},
	},
	"rolling-restart": {
		about: "every member is stopped and started again, one after another, each when the one before serves",
		strike: async (world, details, forMs) => {
			const signal = details.kill === true ? "SIGKILL" : "SIGTERM";
			const members = await choose(world, "all");
			if (members === null) return null;
			return holding(members, async () => {
				for (const member of members) {
					await end(world, member, signal);
					await world.pause(forMs);
					await world.stage.startMember(member);
				}
			});
		},
	},
};
