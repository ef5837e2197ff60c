/** Which limit a refused call came to. The wire says it in etcd's words, which name neither a value nor a flag; the log names both. */
import type { FaultCode } from "@flotilla/api";
import type { Status } from "../front/seam.ts";
import { innerStatus, statusOf } from "./answers.ts";

export const LIMIT_FAULTS = [
	"requestTooLarge",
	"tooManyOps",
	"noSpace",
	"applyBacklog",
	"tooManyRequests",
	"tooManyLongReads",
	"tooManyPasswords",
] as const satisfies readonly FaultCode[];

export type LimitFault = (typeof LIMIT_FAULTS)[number];

/** Statuses are made once for each fault: so a refusal is known again by identity, though several have the same words. */
const BEHIND: ReadonlyMap<Status, LimitFault> = new Map(
	LIMIT_FAULTS.flatMap((fault) => [[statusOf(fault), fault] as const, [innerStatus(fault), fault] as const]),
);

export function limitBehind(status: Status): LimitFault | undefined {
	return BEHIND.get(status);
}
