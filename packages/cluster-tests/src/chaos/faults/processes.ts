/** Faults of processes: killed, stopped, stood still. */
import type { StageMember } from "../stage.ts";
import { flag, who } from "./details.ts";
import { choose, type Fault, type FaultWorld, holding, lasting } from "./fault.ts";

async function startAgain(world: FaultWorld, members: readonly StageMember[]): Promise<void> {
	// Without a quorum none of them becomes ready alone.
	await Promise.all(members.map((member) => world.stage.startMember(member)));
}

async function end({ stage }: FaultWorld, member: StageMember, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
	stage.doom(member);
	await member.process.kill(signal);
}

function ended(about: string, signal: "SIGKILL" | "SIGTERM"): Fault {
	return lasting({
		about,
		details: { who: who("one") },
		async strike(world, details, forMs) {
			const members = await choose(world, details.who);
			if (members === null) return null;
			return holding(members, async () => {
				await Promise.all(members.map((member) => end(world, member, signal)));
				await world.pause(forMs);
				await startAgain(world, members);
			});
		},
	});
}

export const PROCESS_FAULTS: Readonly<Record<string, Fault>> = {
	kill: ended("kill -9, and a new start later", "SIGKILL"),
	stop: ended("a clean stop by SIGTERM, and a new start later", "SIGTERM"),
	pause: lasting({
		about: "the process stands still (SIGSTOP) and goes on later",
		details: { who: who("one") },
		async strike(world, details, forMs) {
			const members = await choose(world, details.who);
			if (members === null) return null;
			return holding(members, async () => {
				await Promise.all(members.map((member) => member.process.kill("SIGSTOP")));
				await world.pause(forMs);
				await Promise.all(members.map((member) => member.process.kill("SIGCONT")));
			});
		},
	}),
	"rolling-restart": lasting({
		about: "every member is stopped (kill: by kill -9) and started again, one after another, each when the one before serves",
		details: { kill: flag },
		async strike(world, details, forMs) {
			const signal = details.kill ? "SIGKILL" : "SIGTERM";
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
	}),
};
