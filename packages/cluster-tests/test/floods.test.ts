/**
 * Floods of frames on real sockets against a real member, plain and with TLS: each connection is ended within 10,000 frames, all of
 * them together cost at most 32 MB, and a neighbour's writes go on meanwhile.
 */
import { Http2ErrorCode } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Attacker } from "../src/hostile/attacker.ts";
import { FLOODS, type Flood } from "../src/hostile/floods.ts";
import { Neighbour } from "../src/hostile/neighbour.ts";
import { WatchedMember } from "../src/hostile/watched-member.ts";

const PROMISED_FRAMES = 10_000;
const PROMISED_BYTES = 32 << 20;
/** With what the collector keeps for the next objects. */
const RESIDENT_BYTES = 96 << 20;
const ROUND_FRAMES = 100;
/** Behind so many frames of a connection memory is looked at; what a look costs is far more than the frames between. */
const LOOKS: ReadonlySet<number> = new Set([1, 501, 1_001, 2_001, 4_001, 6_001, 8_001, 9_501]);
/** One connection after the other. */
const CONNECTIONS_MIN = 3;
const NEIGHBOUR_CALLS_MIN = 5;
/** Reached only by what will never come. */
const CUT = { timeout: 60_000 };

describe.each(["http", "https"] as const)("floods over %s", (scheme) => {
	let member: WatchedMember;
	let neighbour: Neighbour;
	let residentBefore: number;

	beforeAll(async () => {
		member = await WatchedMember.start(scheme);
		neighbour = new Neighbour(member.url);
		await neighbour.calm();
		residentBefore = await member.residentBytes();
	});
	afterAll(async () => {
		await neighbour.stop();
		await member[Symbol.asyncDispose]();
	});

	/** Sends as many frames as a flood may have and not one more: whoever ends it then has not taken more. It stays until it is cut off. */
	async function attack({ frames, reason }: Flood): Promise<void> {
		const attacker = (await new Attacker(member.url).connected()).greet();
		let at = 0;
		for (let sent = 1; sent < PROMISED_FRAMES && attacker.goaway === null && !attacker.closed; sent += ROUND_FRAMES) {
			const round: Buffer[] = [];
			while (round.length < ROUND_FRAMES) round.push(...frames(attacker, at++));
			await attacker.send(...round.slice(0, PROMISED_FRAMES - sent));
			if (LOOKS.has(sent)) await member.lookAtMemory();
		}
		const told = { code: Http2ErrorCode.enhanceYourCalm, reason: expect.stringMatching(reason) };
		await expect.poll(() => attacker.goaway, CUT).toEqual(told);
		await expect.poll(() => attacker.closed, CUT).toBe(true);
	}

	test.each(FLOODS)("$name", async (flood) => {
		await member.watchMemory();
		const servedBefore = neighbour.served;
		for (let connections = 0; connections < CONNECTIONS_MIN || neighbour.served < servedBefore + NEIGHBOUR_CALLS_MIN; connections++) {
			await attack(flood);
		}
		expect(await member.lookAtMemory()).toBeLessThan(PROMISED_BYTES);
		expect(neighbour.failures).toEqual([]);
		expect(neighbour.slowestMs).toBeLessThan(neighbour.bearableMs);
	});

	test("behind all of them the process is hardly larger", async () => {
		expect((await member.residentBytes()) - residentBefore).toBeLessThan(RESIDENT_BYTES);
	});
});
