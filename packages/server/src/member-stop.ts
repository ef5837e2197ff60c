import { NO_NODE } from "@flotilla/raft";
import type { ClientSide } from "./client-side.ts";
import type { NodeDisk } from "./disk/node-disk.ts";
import type { Booted } from "./driver/boot.ts";
import type { PeerTransport, Scheduler } from "./ports.ts";
import type { TapSocket } from "./tap/tap-socket.ts";

/** What a running member consists of, in the order in which it was built. */
export interface MemberParts {
	readonly booted: Booted;
	readonly transport: PeerTransport;
	readonly clients: ClientSide;
	readonly tapSocket: TapSocket;
	readonly disk: NodeDisk;
}

/** Each step of a stop has its bound, so that the whole has one: without a quorum, with a stuck client, with a slow disk. */
const HAND_OVER_MS = 1_000;
const ANSWERS_MS = 1_000;
const FLOOR_MS = 1_000;
const CLOSE_MS = 3_000;

/**
 * Stops a member: leadership goes to another one, open calls are answered or told that it stops, a floor shortens the next
 * start, then everything is closed and the log ends with its closing fence.
 */
export async function stopParts({ booted, transport, clients, tapSocket, disk }: MemberParts, scheduler: Scheduler): Promise<void> {
	const { driver } = booted;
	if (driver.transferLeadership(0n)) await within(HAND_OVER_MS, scheduler, waitFor(driver, successorWorks(driver)));
	const clientsClosed = clients.close(ANSWERS_MS);
	driver.beginStop();
	await within(
		ANSWERS_MS,
		scheduler,
		waitFor(driver, () => driver.callsOpen === 0),
	);
	driver.wantFloor();
	await within(
		FLOOR_MS,
		scheduler,
		waitFor(driver, () => !driver.floorBusy),
	);
	await within(CLOSE_MS, scheduler, clientsClosed);
	await within(CLOSE_MS, scheduler, transport.close());
	driver.end();
	// A disk that is stuck keeps its descriptors: the log may still use them.
	const logClosed = await within(CLOSE_MS, scheduler, new Promise<void>((done) => booted.close(done)));
	await within(CLOSE_MS, scheduler, Promise.all([logClosed ? disk.close() : null, tapSocket.close()]));
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

function waitFor(driver: Booted["driver"], holds: () => boolean): Promise<void> {
	return new Promise((resolve) => {
		const unwatch = driver.afterTurns(() => {
			if (!holds()) return;
			unwatch();
			resolve();
		});
	});
}

/** What takes longer is left to itself, and false is told: the next start recovers from it as from a crash. */
function within(ms: number, scheduler: Scheduler, work: Promise<unknown>): Promise<boolean> {
	return new Promise((resolve) => {
		const callOff = scheduler.after(ms, () => resolve(false));
		void work.then(() => {
			callOff();
			resolve(true);
		});
	});
}
