import type { Dice } from "@flotilla/base";
import type { Member } from "./member.ts";
import type { World } from "./world.ts";

/** Does one thing at random to the world, of what it can bear. */
export function strike(world: World, dice: Dice): string {
	const member = dice.pick(world.members);
	const other = dice.pick(world.members.filter((each) => each !== member));
	switch (dice.range(0, 7)) {
		case 0:
			return crashFor(world, member, dice);
		case 1:
			return crashFor(world, world.leader ?? member, dice);
		case 2:
			world.network.reset(member.id, other.id);
			return "reset";
		case 3:
			world.network.cut(member.id, other.id);
			world.time.after(dice.range(20_000, 3_000_000), () => world.network.heal());
			return "cut";
		case 4: {
			const lonely = dice.chance(1, 2) ? (world.leader ?? member) : member;
			for (const each of world.members) if (each !== lonely) world.network.cut(lonely.id, each.id);
			world.time.after(dice.range(20_000, 3_000_000), () => world.network.heal());
			return "isolated";
		}
		case 5:
			member.holdDisk();
			world.time.after(dice.range(5_000, 800_000), () => member.releaseDisk());
			return "slowDisk";
		case 6: {
			const odds = dice.range(2, 30);
			world.network.drop = () => dice.chance(1, odds);
			world.time.after(dice.range(50_000, 1_000_000), () => {
				world.network.drop = () => false;
			});
			return "drops";
		}
		default:
			if (member.alive) member.wantFloor();
			if (world.leader?.alive === true) world.leader.replica.transferLeadership(0n);
			return "floorAndTransfer";
	}
}

export function heal(world: World): void {
	world.network.heal();
	world.network.drop = () => false;
	for (const member of world.members) {
		member.releaseDisk();
		if (!member.alive) member.start();
	}
}

function crashFor(world: World, member: Member, dice: Dice): string {
	if (!member.alive) return "none";
	member.crash();
	world.time.after(dice.range(1_000, 2_000_000), () => {
		if (!member.alive) member.start();
	});
	return "crash";
}
