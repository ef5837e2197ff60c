/**
 * Whoever ended outside of the faults that start their members again themselves: started like everybody else, and told of where it
 * was nobody's doing. A member that crashes and comes back has kept its promises, and is no sound member for all that.
 */
import { reasonOf } from "../process/reason.ts";
import { pause } from "../process/wait.ts";
import { startOrReplace } from "./faults/disks.ts";
import type { FaultWorld } from "./faults/fault.ts";
import type { Ending, StageMember } from "./stage.ts";

const LOOK_MS = 50;
const AWAY_MS = 500;

export class Nurse {
	private readonly world: FaultWorld;
	private readonly findings: string[];
	private readonly tended = new Map<StageMember, Promise<void>>();

	/** `findings`: where endings and starts that should not be are told. */
	constructor(world: FaultWorld, findings: string[]) {
		this.world = world;
		this.findings = findings;
		world.stage.onEnded = (member, ending) => this.ended(member, ending);
	}

	/** Resolves when everybody who was looked after runs, or cannot. */
	async done(): Promise<void> {
		await Promise.all(this.tended.values());
	}

	private ended(member: StageMember, { how, doomed }: Ending): void {
		if (!doomed) this.findings.push(`${member.name} ended (${how}) and it was nobody's doing: ${member.process.lastLine}`);
		if (this.tended.has(member)) return;
		const tending = this.tend(member)
			.catch((error) => void this.findings.push(`${member.name} does not start again: ${reasonOf(error)}`))
			.finally(() => this.tended.delete(member));
		this.tended.set(member, tending);
	}

	/** Most are held by the fault that ended them, and started by it. */
	private async tend(member: StageMember): Promise<void> {
		while (member.held) await pause(LOOK_MS);
		if (member.out || member.process.running) return;
		member.held = true;
		try {
			// Nobody knows what it finds when it reads on.
			if (member.damaged) await startOrReplace(this.world, member, AWAY_MS);
			else await this.world.stage.startMember(member);
		} finally {
			member.held = false;
		}
	}
}
