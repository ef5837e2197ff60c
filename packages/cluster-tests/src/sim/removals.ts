import { etcdserverpb } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import type { SimMember } from "./member.ts";
import type { VirtualTime } from "./virtual-time.ts";

const REMOVE = "/etcdserverpb.Cluster/MemberRemove";
const TIMEOUT_MS = 3_000;
const PAUSE_US = 300_000;

/** Removes members of a simulated cluster for ever, through whomever it finds, until that is answered; never the last one. */
export class Removals {
	/** Members whose removal was acknowledged, or found to have been made. */
	readonly done = new Set<SimMember>();
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly members: readonly SimMember[];
	/** Asked for: whether it was made is not known before it is done. */
	private readonly sentenced = new Set<SimMember>();
	private stopped = false;

	constructor(time: VirtualTime, dice: Dice, members: readonly SimMember[]) {
		this.time = time;
		this.dice = dice;
		this.members = members;
	}

	/** Whom it chose; null when only one would be left. */
	strike(): SimMember | null {
		const free = this.members.filter((member) => !this.sentenced.has(member));
		if (free.length <= 1) return null;
		const victim = this.dice.pick(free);
		this.sentenced.add(victim);
		this.ask(victim);
		return victim;
	}

	stop(): void {
		this.stopped = true;
	}

	/** What must hold when everything is at rest; empty when it does. */
	findings(): string[] {
		const left = this.members.filter((member) => !member.gone);
		const found: string[] = [];
		for (const victim of this.done) {
			if (!victim.gone) found.push(`${victim.name} was removed and still runs`);
			for (const member of left) if (member.knows(victim.id)) found.push(`${member.name} still counts ${victim.name}, which was removed`);
		}
		for (const member of this.members) {
			if (member.gone && !this.sentenced.has(member)) found.push(`${member.name} left, and nobody had asked for it`);
			for (const other of left) {
				if (!member.gone && !other.knows(member.id)) found.push(`${other.name} does not count ${member.name}, which runs`);
			}
		}
		return found;
	}

	private ask(victim: SimMember): void {
		if (this.stopped || this.done.has(victim)) return;
		const serving = this.members.filter((member) => member.serving);
		const again = (): void => {
			this.time.after(PAUSE_US, () => this.ask(victim));
		};
		if (serving.length === 0) {
			again();
			return;
		}
		let over = false;
		const once = (act: () => void): void => {
			if (over) return;
			over = true;
			act();
		};
		const settled = (): void => {
			this.done.add(victim);
		};
		const request = etcdserverpb.MemberRemoveRequest.encode({ ID: victim.id });
		const cancel = this.dice.pick(serving).call(REMOVE, request, TIMEOUT_MS, {
			respond: () => once(settled),
			fail: ({ message }) => once(() => (message.includes("member not found") ? settled() : again())),
			gone: () => once(again),
		});
		this.time.after(TIMEOUT_MS * 1_000, () =>
			once(() => {
				cancel();
				again();
			}),
		);
	}
}
