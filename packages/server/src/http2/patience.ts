/** Looks at one connection about every second, and says when it has kept its server waiting for too long. */
import type { Http2Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";

export class Patience {
	private readonly connection: Http2Connection;
	private readonly options: ConnectionOptions;
	private readonly startedMs: number;
	private readonly block = new Stillness();
	private readonly frame = new Stillness();
	private readonly anyByte = new Stillness();
	private readonly reading = new Stillness();

	constructor(connection: Http2Connection, options: ConnectionOptions, nowMs: number) {
		this.connection = connection;
		this.options = options;
		this.startedMs = nowMs;
	}

	/** What it waited for in vain; null while all is well. */
	look(nowMs: number): string | null {
		const { connection, options } = this;
		if (!connection.greeted && nowMs - this.startedMs >= options.silenceMs) return "no SETTINGS came";
		const { partial, inFrame } = connection;
		if (this.block.since(partial.streamId !== 0, partial.serial, nowMs) >= options.silenceMs) return "a header block did not end";
		if (this.anyByte.since(inFrame, connection.bytesSeen, nowMs) >= options.silenceMs) return "a frame did not go on";
		if (this.frame.since(inFrame, connection.framesSeen, nowMs) >= options.slownessMs) return "a frame did not end";
		if (this.reading.since(connection.congested, connection.flushes, nowMs) >= options.slownessMs) return "answers are not read";
		return null;
	}
}

/** How long something has been as it is, or has hardly moved. */
export class Stillness {
	private mark = Number.NaN;
	private sinceMs = 0;

	/** Milliseconds since the first look at which it was on with this mark, which never falls, or one less than `least` below it; 0 when it is off. */
	since(on: boolean, mark: number, nowMs: number, least = 1): number {
		// The first time there is none to compare with.
		if (!on || !(mark - this.mark < least)) {
			this.mark = on ? mark : Number.NaN;
			this.sinceMs = nowMs;
		}
		return nowMs - this.sinceMs;
	}
}
