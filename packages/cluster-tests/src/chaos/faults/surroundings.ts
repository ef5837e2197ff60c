/** Faults of what is around the processes: clocks, and strangers at the ports. */
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { who, whole, word } from "./details.ts";
import { choose, type Fault, lasting } from "./fault.ts";

/** A TLS hello cut short: the handshake has begun, and nothing more comes. */
const HALF_HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
/** First bytes of each protocol that is spoken at a port, never followed by more. */
const OPENINGS = ["", "PRI * HTTP/2.0\r\n", "GET /health HTTP/1.1\r\nHost: x\r\n", "FLOT", HALF_HELLO];

export const SURROUNDINGS: Readonly<Record<string, Fault>> = {
	clock: lasting({
		about: "the wall clock of a member jumps, either way, and comes back later",
		details: { who: who("one"), seconds: whole(3_600, { min: 1, max: 31_536_000, unit: "s" }) },
		needs: ["faketime"],
		programs: ["flotilla"],
		async strike(world, details, forMs) {
			const [member] = (await choose(world, details.who)) ?? [];
			if (member === undefined) return null;
			const seconds = details.seconds * (world.dice.chance(1, 2) ? 1 : -1);
			await writeFile(world.stage.clockFile(member), `${seconds >= 0 ? "+" : ""}${seconds}s\n`);
			await world.pause(forMs);
			await writeFile(world.stage.clockFile(member), "+0s\n");
			return [member.name];
		},
	}),
	strangers: lasting({
		about: "connections to client and peer port that begin to say something and then nothing",
		details: { who: who("one"), count: whole(50, { min: 1, max: 1_000, unit: "connections" }), say: word("anything", "tls") },
		async strike(world, details, forMs) {
			const [member] = (await choose(world, details.who)) ?? [];
			if (member === undefined) return null;
			const sockets: Socket[] = [];
			for (let n = 0; n < details.count; n++) {
				const socket = connect(world.dice.pick(member.site.doors));
				socket.on("error", () => {});
				socket.write(details.say === "tls" ? HALF_HELLO : world.dice.pick(OPENINGS), "latin1");
				sockets.push(socket);
			}
			await world.pause(forMs);
			for (const socket of sockets) socket.destroy();
			return [member.name];
		},
	}),
};
