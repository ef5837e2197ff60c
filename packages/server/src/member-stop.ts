import type { ClientSide } from "./client-side.ts";
import type { NodeDisk } from "./disk/node-disk.ts";
import type { Booted } from "./driver/boot.ts";
import { stopCleanly } from "./driver/clean-stop.ts";
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

const CLOSE_MS = 3_000;

/** Stops a member in order (`driver/clean-stop.ts`), and lets go of what the process holds besides. */
export async function stopParts({ booted, transport, clients, tapSocket, disk }: MemberParts, scheduler: Scheduler): Promise<void> {
	const doors = {
		closeClients: (graceMs: number, done: () => void) => void clients.close(graceMs).then(done),
		closePeers: (done: () => void) => void transport.close().then(done),
	};
	const logClosed = await new Promise<boolean>((done) => stopCleanly(booted, doors, scheduler, done));
	await letGo(logClosed, { tapSocket, disk }, scheduler);
}

/**
 * A disk that is stuck keeps its descriptors: the log may still use them. The tap's socket stays as well: Node takes its file away in
 * the main thread, which would stand still with the disk, beyond any bound; the next start removes the file.
 */
export async function letGo(
	logClosed: boolean,
	{ tapSocket, disk }: { readonly tapSocket: Pick<TapSocket, "close">; readonly disk: Pick<NodeDisk, "close"> },
	scheduler: Scheduler,
): Promise<void> {
	if (logClosed) await within(CLOSE_MS, scheduler, Promise.all([disk.close(), tapSocket.close()]));
}

function within(ms: number, scheduler: Scheduler, work: Promise<unknown>): Promise<void> {
	return new Promise((resolve) => {
		const callOff = scheduler.after(ms, resolve);
		void work.then(() => {
			callOff();
			resolve();
		});
	});
}
