/**
 * Slow clients on real sockets against a real member with the product's own patience (docs/rules.md, D4), plain and with TLS: all at
 * once. Each is cut off for its own reason, all of them together cost at most 32 MB, who is slow but goes on is kept, and a neighbour's
 * writes go on. No client leaves by itself.
 */
import { Http2ErrorCode } from "@flotilla/server/internal";
import { expect, test } from "vitest";
import { Attacker } from "../src/hostile/attacker.ts";
import { Neighbour } from "../src/hostile/neighbour.ts";
import { LARGE_BYTES, LARGE_KEY, SLOW_CLIENTS, STEADY_CLIENTS } from "../src/hostile/slow-clients.ts";
import { WatchedMember } from "../src/hostile/watched-member.ts";
import { pause } from "../src/process/wait.ts";

const PROMISED_BYTES = 32 << 20;
const SECOND_MS = 1_000;
/** The slowest rule takes half a minute; reached only where one does not hold. */
const SECONDS_MAX = 240;

// Nearly all of it is waiting, each with a member of its own.
test.concurrent.each(["http", "https"] as const)("over %s", async (scheme) => {
	await using member = await WatchedMember.start(scheme);
	const neighbour = new Neighbour(member.url);
	await neighbour.put(LARGE_KEY, Buffer.alloc(LARGE_BYTES, "l"));
	await neighbour.calm();
	await member.watchMemory();

	const begin = async <Client extends (typeof STEADY_CLIENTS)[number]>(client: Client) => {
		const attacker = new Attacker(client.secure === false ? member.url.replace("https:", "http:") : member.url);
		await attacker.connected();
		return { ...client, attacker, goOn: client.begin(attacker) };
	};
	const slow = await Promise.all(SLOW_CLIENTS.map(begin));
	const steady = await Promise.all(STEADY_CLIENTS.map(begin));
	for (let second = 0; second < SECONDS_MAX && slow.some(({ attacker }) => !attacker.closed); second++) {
		for (const { attacker, goOn } of [...slow, ...steady]) if (!attacker.closed) goOn?.(second);
		await pause(SECOND_MS);
		await member.lookAtMemory();
	}

	const told = slow.map(({ name, attacker }) => ({ name, closed: attacker.closed, goaway: attacker.goaway }));
	const code = Http2ErrorCode.enhanceYourCalm;
	const expected = SLOW_CLIENTS.map(({ name, reason, deaf }) => ({
		name,
		closed: true,
		goaway: reason === null || deaf === true ? null : { code, reason },
	}));
	expect(told).toEqual(expected);
	const reasons = SLOW_CLIENTS.map(({ reason }) => reason).filter((reason) => reason !== null);
	expect(await member.cutReasons()).toEqual(new Set(reasons));
	expect(steady.filter(({ attacker }) => attacker.closed || attacker.goaway !== null).map(({ name }) => name)).toEqual([]);
	expect(await member.lookAtMemory()).toBeLessThan(PROMISED_BYTES);
	await neighbour.stop();
	expect(neighbour.failures).toEqual([]);
	expect(neighbour.served).toBeGreaterThan(SLOW_CLIENTS.length);
	expect(neighbour.slowestMs).toBeLessThan(neighbour.bearableMs);
	for (const { attacker } of steady) attacker.socket.destroy();
});
