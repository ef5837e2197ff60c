/**
 * Which adapter serves the members of a test that holds for either: our own mostly, grpc-js now and then, since what was made for one
 * comes to differ on the other. Drawn for each test by name, and told in it, so that a failure comes again (`FLOTILLA_SEED`).
 */
import { randomInt } from "node:crypto";
import { Dice } from "@flotilla/base";

const seed = process.env.FLOTILLA_SEED ?? String(randomInt(2 ** 40));

export interface DrawnFront {
	readonly flags: readonly string[];
	/** For the test's name. */
	readonly told: string;
}

export function drawnFront(test: string): DrawnFront {
	const drawn = new Dice(`${seed}/${test}`).chance(1, 4) ? "grpc-js" : "native";
	// Whoever asks for one adapter gets that.
	const name = process.env.ETCD_GRPC_SERVER ?? drawn;
	return { flags: ["--grpc-server", name], told: `served by ${name}, FLOTILLA_SEED=${seed}` };
}
