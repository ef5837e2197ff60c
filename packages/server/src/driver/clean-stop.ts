import { marks } from "@flotilla/base";
import { NO_NODE } from "@flotilla/raft";
import type { Scheduler } from "../ports.ts";
import type { Booted } from "./boot.ts";

/** Each step of a stop has its bound, so that the whole has one: without a quorum, with a stuck client, with a slow disk. */
const HAND_OVER_MS = 1_000;
const ANSWERS_MS = 1_000;
const FLOOR_MS = 1_000;
const CLOSE_MS = 3_000;

/** What a member is reached by. `done` in a later turn. */
export interface StopDoors {
	/** Nobody comes in any more; who is inside has at most so long to be answered. */
	closeClients(graceMs: number, done: () => void): void;
	closePeers(done: () => void): void;
}

/**
 * Stops a member: leadership goes to another one, open calls are answered or told that it stops, a floor shortens the next
 * start, then everything is closed and the log ends with its closing fence. `done` is told whether it does: what takes longer than its
 * bound is left to itself, and the next start recovers from it as from a crash. Every step begins in a turn of its own, without promises,
 * so that the simulator stops its members by this code.
 */
export function stopCleanly(
	{ driver, close }: Pick<Booted, "driver" | "close">,
	doors: StopDoors,
	scheduler: Scheduler,
	done: (logClosed: boolean) => void,
): void {
	const within = (ms: number, begin: (ended: () => void) => void, next: (inTime: boolean) => void): void => {
		let over = false;
		const goOn = (inTime: boolean): void => {
			if (over) return;
			over = true;
			callOff();
			scheduler.soon(() => next(inTime));
		};
		const callOff = scheduler.after(ms, () => goOn(false));
		begin(() => goOn(true));
	};
	const until = (holds: () => boolean) => (ended: () => void) => {
		const unwatch = driver.afterTurns(() => {
			if (!holds()) return;
			unwatch();
			ended();
		});
	};
	let clientsClosed = false;
	let onClientsClosed = (): void => {};

	const handOver = (): void => {
		if (!driver.transferLeadership(0n)) {
			answer();
			return;
		}
		within(HAND_OVER_MS, until(successorWorks(driver)), (inTime) => {
			if (inTime) marks.stopHandedOver++;
			else marks.stopWithoutSuccessor++;
			answer();
		});
	};
	const answer = (): void => {
		doors.closeClients(ANSWERS_MS, () => {
			clientsClosed = true;
			onClientsClosed();
		});
		driver.beginStop();
		within(
			ANSWERS_MS,
			until(() => driver.callsOpen === 0),
			takeFloor,
		);
	};
	const takeFloor = (): void => {
		driver.wantFloor();
		within(
			FLOOR_MS,
			until(() => !driver.floorBusy),
			awaitClients,
		);
	};
	const awaitClients = (): void => {
		const begin = (ended: () => void): void => {
			if (clientsClosed) ended();
			else onClientsClosed = ended;
		};
		within(CLOSE_MS, begin, () => within(CLOSE_MS, (ended) => doors.closePeers(ended), endLog));
	};
	const endLog = (): void => {
		driver.end();
		within(CLOSE_MS, (ended) => close(ended), done);
	};
	handOver();
}

/**
 * Another member leads and has committed the first entry of its term. Until then this one votes, acknowledges and passes on
 * what its clients ask for, with nothing else on its mind: a floor would hold up the very writes that the others wait for.
 */
function successorWorks(driver: Booted["driver"]): () => boolean {
	let openingIndex = 0;
	return () => {
		const { leader, core } = driver.status();
		if (leader === NO_NODE || leader === driver.memberId) return false;
		if (openingIndex === 0 && core.lastTerm === core.term) openingIndex = core.lastIndex;
		return openingIndex > 0 && core.commit >= openingIndex;
	};
}
