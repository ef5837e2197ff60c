import { describe, expect, test } from "vitest";
import { CommandKind } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { compactBytes, rangeOf } from "./world/requests.ts";
import { World } from "./world/world.ts";

function putMany(world: World, from: number, count: number): void {
	for (let i = from; i < from + count; i++) {
		expect(world.outcomeOf(world.put(world.members[i % 3] as Member, `k${i % 7}`, `v${i}`))).toMatchObject({ ok: true });
	}
}

function restartAll(world: World): void {
	for (const member of world.members) member.crash();
	for (const member of world.members) member.start();
	world.until("all members serve", () => world.members.every((member) => member.serving));
}

describe("a start", () => {
	test("from the log alone gives the same state after all members lost their power", () => {
		const world = new World("log alone").up();
		putMany(world, 0, 40);
		const before = world.theLeader.replica.store.revision;
		restartAll(world);
		world.settle();
		for (const member of world.members) expect(member.replica.store.revision).toBe(before);
	});

	test("SC-100 from a floor replays only what lies above it", () => {
		const world = new World("floor").up();
		putMany(world, 0, 30);
		for (const member of world.members) member.wantFloor();
		world.until("all have a floor", () => world.members.every((member) => member.floors === 1));
		const floorIndex = Math.min(...world.members.map((member) => member.disk.floorIndex));
		expect(floorIndex).toBeGreaterThan(30);
		putMany(world, 30, 30);
		const digest = world.theLeader.replica.store.digest();
		for (const member of world.members) member.crash();
		for (const member of world.members) {
			member.start();
			expect(member.replica.status().appliedIndex).toBeGreaterThanOrEqual(floorIndex);
			expect(member.replica.store.revision).toBeLessThan(61);
		}
		world.until("all members serve", () => world.members.every((member) => member.serving));
		world.settle();
		for (const member of world.members) expect(member.replica.store.digest()).toBe(digest);
	});

	test("keeps the tables of the floor: names, version, alarms", () => {
		const world = new World("tables").up();
		world.settle();
		for (const member of world.members) member.wantFloor();
		world.until("all have a floor", () => world.members.every((member) => member.floors === 1));
		for (const member of world.members) member.crash();
		for (const member of world.members) {
			member.start();
			expect(member.replica.members.map(({ name }) => name)).toEqual(["m1", "m2", "m3"]);
			expect(member.replica.status().clusterVersion).toBe("3.6.0");
			// Until its own announcement of this life is applied it serves nobody.
			expect(member.serving).toBe(false);
		}
		world.until("all members serve", () => world.members.every((member) => member.serving));
	});

	test("shows no lower term than the life before", () => {
		const world = new World("terms").up();
		for (let round = 0; round < 5; round++) {
			world.settle();
			const shown = world.members.map((member) => member.replica.status().durableTerm);
			world.theLeader.crash();
			world.until("there is a leader", () => world.leader !== null);
			for (const member of world.members) if (!member.alive) member.start();
			world.until("all members serve", () => world.members.every((member) => member.serving));
			for (const [at, member] of world.members.entries()) {
				expect(member.replica.status().durableTerm).toBeGreaterThanOrEqual(shown[at] as number);
			}
		}
	});
});

describe("a floor", () => {
	test("is not taken in the middle of a compaction, and is taken after it (S3)", () => {
		const world = new World("compaction").up();
		putMany(world, 0, 60);
		world.outcomeOf(world.write(world.theLeader, CommandKind.compact, compactBytes(50)));
		const { replica } = world.theLeader;
		world.until("the compaction is through", () => !replica.store.compactionPending);
		const image = replica.captureFloor();
		expect(image?.mark).toMatchObject({ compactRevision: 50, revision: 61 });
		replica.store.compact(60);
		replica.store.compactionStep(1);
		expect(replica.captureFloor()).toBeNull();
	});

	test("is taken while a compaction waits for a read, which costs no turns meanwhile", () => {
		const world = new World("held").up();
		putMany(world, 0, 60);
		world.settle();
		const { replica } = world.theLeader;
		const read = replica.store.rangeSliced({ ...rangeOf("k"), rangeEnd: Uint8Array.of(0) });
		if ("code" in read) throw new Error(read.code);
		putMany(world, 60, 1);
		world.outcomeOf(world.write(world.theLeader, CommandKind.compact, compactBytes(62)));
		world.settle();
		expect([replica.store.compactionPending, replica.store.compactionHeld]).toEqual([true, true]);
		expect(replica.captureFloor()?.mark).toMatchObject({ compactRevision: 62, revision: 62 });
		expect(replica.drain().moreWork).toBe(false);
		read.abandon();
		world.until("the compaction is through", () => !replica.store.compactionPending);
	});

	test("SC-081 says the index, the records and the tables of one moment", () => {
		const world = new World("image").up();
		putMany(world, 0, 10);
		world.settle();
		const images = world.members.map((member) => member.replica.captureFloor());
		for (const image of images) {
			expect(image).toMatchObject({ appliedIndex: images[0]?.appliedIndex, mark: images[0]?.mark, tableDigest: images[0]?.tableDigest });
			expect(image?.tables.map(({ key }) => key)).toEqual(["members/16", "members/21", "members/b", "version/cluster"]);
		}
	});
});
