/** Which streams there have been, by their numbers alone (RFC 9113, 5.1.1): odd ones are the client's, even ones nobody's here. */
import { ConnectionFault, ErrorCode, STREAM_ID_MAX } from "./protocol.ts";

/** Streams that may still get frames that were sent before the peer knew. */
const LEAVING_MAX = 4_096;

export class StreamNumbers {
	/** Newest stream that the peer opened. */
	lastPeerId = 0;
	private readonly isServer: boolean;
	private readonly leaving = new Set<number>();
	private opened = 0;
	private nextOwnId = 1;

	constructor(isServer: boolean) {
		this.isServer = isServer;
	}

	get left(): boolean {
		return this.nextOwnId <= STREAM_ID_MAX;
	}

	takeOwn(): number {
		const id = this.nextOwnId;
		this.nextOwnId += 2;
		return id;
	}

	/** At the server's end: the number of a stream that the client may open now. */
	isNew(streamId: number): boolean {
		return this.isServer && streamId % 2 === 1 && streamId > this.lastPeerId;
	}

	openedByPeer(streamId: number): void {
		this.lastPeerId = streamId;
		this.opened++;
	}

	isIdle(streamId: number): boolean {
		const own = streamId % 2 === (this.isServer ? 0 : 1);
		if (own) return this.isServer || streamId >= this.nextOwnId;
		return streamId === 0 || streamId > this.lastPeerId;
	}

	/** This side reset or ended it early: what is under way to it means nothing. */
	leave(streamId: number): void {
		if (this.leaving.size >= LEAVING_MAX) this.leaving.delete(this.leaving.values().next().value as number);
		this.leaving.add(streamId);
	}

	/** A frame came for a stream that is not open: throws, unless it may have been under way when this side closed the stream. */
	checkClosed(streamId: number, what: string): void {
		if (this.leaving.has(streamId)) return;
		if (this.isIdle(streamId)) throw new ConnectionFault(ErrorCode.protocolError, `${what} on an idle stream`);
		// Clients number their streams without gaps; where one did not, the stream may never have been opened.
		if (this.isServer && this.opened * 2 - 1 !== this.lastPeerId) {
			throw new ConnectionFault(ErrorCode.protocolError, `${what} on a stream of a lower number`);
		}
		throw new ConnectionFault(ErrorCode.streamClosed, `${what} on a closed stream`);
	}
}
