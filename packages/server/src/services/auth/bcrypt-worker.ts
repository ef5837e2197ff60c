/** The thread behind `bcrypt-thread.ts`: one order after the other. */
import { parentPort } from "node:worker_threads";
import { compareSync, hashSync } from "bcryptjs";
import type { BcryptAnswer, BcryptOrder } from "./bcrypt-thread.ts";

parentPort?.on("message", (order: BcryptOrder) => {
	const answer: BcryptAnswer = { id: order.id, result: carryOut(order) };
	parentPort?.postMessage(answer);
});

function carryOut(order: BcryptOrder): string | boolean | null {
	try {
		return order.kind === "hash" ? hashSync(order.password, order.cost) : compareSync(order.password, order.hash);
	} catch {
		// A hash that is none. Nothing of the order is told to anybody.
		return null;
	}
}
