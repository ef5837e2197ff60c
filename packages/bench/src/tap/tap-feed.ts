/** The event taps of members on this machine, read for a while. A member that is not there is left out. */
import { join } from "node:path";
import type { TapEventName } from "@flotilla/base";
import { readTap, TAP_SOCKET, type TapLine } from "@flotilla/server/internal";

/** Each event counts some hundred bytes here; at most so many are kept of each member. */
const EVENTS_MAX = 200_000;

export class TapFeed {
	readonly dataDir: string;
	readonly events: TapLine[] = [];
	/** Events that the member did not send, since we were slow. */
	dropped = 0;
	private readonly stop: () => void;

	constructor(dataDir: string, names: readonly TapEventName[]) {
		this.dataDir = dataDir;
		this.stop = readTap(
			join(dataDir, TAP_SOCKET),
			{ names, recent: 0 },
			{
				event: (event) => {
					if (this.events.length < EVENTS_MAX) this.events.push(event);
					else this.dropped++;
				},
				dropped: (count) => {
					this.dropped += count;
				},
				closed: () => {},
			},
		);
	}

	close(): void {
		this.stop();
	}
}
