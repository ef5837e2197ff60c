/** Faults of what is around the processes: clocks, and strangers at the ports. */
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { choose, type Fault, numberOf, textOf } from "./fault.ts";

/** A TLS hello cut short: the handshake has begun, and nothing more comes. */
const HALF_HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
/** First bytes of each protocol that is spoken at a port, never followed by more. */
const OPENINGS = ["", "PRI * HTTP/2.0\r\n", "GET /health HTTP/1.1\r\nHost: x\r\n", "FLOT", HALF_HELLO];

export const SURROUNDINGS: Readonly<Record<string, Fault>> = {
	clock: {
		about: "the wall clock of a member jumps (by seconds, either way) and comes back later",
		needs: ["faketime"],
		programs: ["flotilla"],
		strike: async (world, details, forMs) => {
			const [member] = (await choose(world, textOf(details, "who", "one"))) ?? [];
			if (member === undefined) return null;
			const seconds = numberOf(details, "seconds", 3_600) * (world.dice.chance(1, 2) ? 1 : -1);
			await writeFile(world.stage.clockFile(member), `${seconds >= 0 ? "+" : ""}${seconds}s\n`);
			await world.pause(forMs);
			await writeFile(world.stage.clockFile(member), "+0s\n");
			return [member.name];
		},
	},
	strangers: {
		about: "connections to client and peer port that begin to say something and then nothing (count; say: anything, or tls)",
		strike: async (world, details, forMs) => {
			const [member] = (await choose(world, textOf(details, "who", "one"))) ?? [];
			if (member === undefined) return null;
			const sockets: Socket[] = [];
			for (let n = 0; n < Math.min(1_000, numberOf(details, "count", 50)); n++) {
				const socket = connect(world.dice.pick(member.site.doors));
				socket.on("error", () => {});
				socket.write(textOf(details, "say", "anything") === "tls" ? HALF_HELLO : world.dice.pick(OPENINGS), "latin1");
				sockets.push(socket);
			}
			await world.pause(forMs);
			for (const socket of sockets) socket.destroy();
			return [member.name];
		},
	},
};
