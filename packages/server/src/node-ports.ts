/** The world as Node offers it. */
import { randomBytes } from "node:crypto";
import { Dice } from "@flotilla/base";
import type { Clock, Scheduler } from "./ports.ts";

export const nodeClock: Clock = {
	monotonicMs: () => performance.now(),
	wallMs: () => Date.now(),
};

export const nodeScheduler: Scheduler = {
	soon: (work) => void setImmediate(work),
	after(ms, work) {
		const timer = setTimeout(work, ms);
		return () => clearTimeout(timer);
	},
};

/** Differs in each process life. */
export function nodeDice(): Dice {
	return new Dice(randomBytes(16).toString("hex"));
}

export function randomId(): bigint {
	return randomBytes(8).readBigUInt64LE();
}
