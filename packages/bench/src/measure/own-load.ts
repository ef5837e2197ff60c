/** What the load generator itself costs: it must not be what is measured. */
import { type EventLoopUtilization, performance } from "node:perf_hooks";

/** Above this share of its one thread a load generator may be what limits the rate. */
export const BOUND_SHARE = 0.9;
/** A loop that is busy all the time and has less of a processor than this waits for one: others have it. */
const WAITING_SHARE = 0.5;

export interface OwnLoad {
	/** CPU seconds a second, all threads of the generator. */
	readonly cpuShare: number;
	/** Share of the time in which its loop was at work. */
	readonly loopShare: number;
	/** The figures may be those of the client. */
	readonly clientBound: boolean;
}

export class OwnLoadWatch {
	private readonly cpu = process.cpuUsage();
	private readonly loop: EventLoopUtilization = performance.eventLoopUtilization();
	private readonly startedMs = performance.now();

	/** Since it was made. */
	look(): OwnLoad {
		const { user, system } = process.cpuUsage(this.cpu);
		const cpuShare = (user + system) / 1_000 / Math.max(1, performance.now() - this.startedMs);
		const loopShare = performance.eventLoopUtilization(this.loop).utilization;
		return { cpuShare, loopShare, clientBound: isClientBound(cpuShare, loopShare) };
	}
}

/** A loop counts as busy while it waits for a processor; so its share says something only where it had most of one. */
export function isClientBound(cpuShare: number, loopShare: number): boolean {
	return loopShare > BOUND_SHARE && cpuShare > WAITING_SHARE;
}
