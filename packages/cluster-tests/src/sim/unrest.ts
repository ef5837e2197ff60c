import type { Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { SimNetwork } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Connections that break and soon are back, while every member is well: what must not cost a leader each time. */
export type Unrest = "oneLink" | "allLinks" | "resets" | "oneSided";

export interface Restless {
	readonly time: VirtualTime;
	readonly dice: Dice;
	readonly network: SimNetwork;
	readonly members: readonly NodeId[];
	/** Of whom the link to `follower` is the one that suffers. */
	readonly leader: NodeId;
	readonly follower: NodeId;
}

/** Begins, and goes on until the time is over. */
export function unsettle(kind: Unrest, world: Restless, forUs: number): void {
	const { members, leader, follower } = world;
	const untilUs = world.time.nowUs + forUs;
	const links = members.flatMap((a, at) => members.slice(at + 1).map((b) => [a, b] as const));
	switch (kind) {
		case "oneLink":
			flap(world, leader, follower, [leader, follower], untilUs);
			break;
		case "oneSided":
			// The follower's side is reset by something on the way; the leader's goes on into the void.
			flap(world, leader, follower, [follower], untilUs);
			break;
		case "allLinks":
			for (const [a, b] of links) flap(world, a, b, [a, b], untilUs);
			break;
		case "resets":
			storm(world, links, untilUs);
			break;
	}
}

/** Down for 50 to 500 ms, then up for as long. */
function flap({ time, dice, network }: Restless, a: NodeId, b: NodeId, seenBy: readonly NodeId[], untilUs: number): void {
	const turn = (down: boolean): void => {
		if (down) {
			network.reset(a, b, seenBy);
			network.cut(a, b);
			network.cut(b, a);
		} else {
			network.heal(a, b);
			network.heal(b, a);
		}
		if (down || time.nowUs < untilUs) time.after(dice.range(50, 500) * 1_000, () => turn(!down));
	};
	turn(true);
}

/** Every connection at once, again before the last ones are back. */
function storm({ time, dice, network }: Restless, links: ReadonlyArray<readonly [NodeId, NodeId]>, untilUs: number): void {
	const strike = (): void => {
		for (const [a, b] of links) network.reset(a, b);
		if (time.nowUs < untilUs) time.after(dice.range(20, 300) * 1_000, strike);
	};
	strike();
}
