import type { ByteOps, Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { Clock, Scheduler, StateExport } from "../ports.ts";
import type { LiveTls } from "../tls/live-tls.ts";
import type { ClusterView } from "./cluster-view.ts";

export interface PeerTransportOptions {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	/** Random 53 bits of this process life. */
	readonly incarnation: number;
	/** `http://host:port`; port 0 takes a free one. Empty: only dials (tests). */
	readonly listenPeerUrls: readonly string[];
	/** For `https` URLs, to listen on and to dial. Null: those that are dialed are verified by the authorities that Node.js knows. */
	readonly tls?: LiveTls | null;
	readonly electionTimeoutMs: number;
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	/** For the jitter of redials. */
	readonly dice: Dice;
	readonly bytes: ByteOps;
	readonly limits?: Partial<PeerLimits>;
	/** What a member that joins is told; without it such questions are refused. */
	readonly members?: () => ClusterView["members"];
	/** The state whole, for a member that has lost its store (rule S6); null: not now. Without it such questions are refused. */
	readonly state?: () => StateExport | null;
	/** The own term: whoever speaks of one far above it is cut off (rule T1). 0 without it. */
	readonly term?: () => number;
}

export interface PeerLimits {
	/** Of one frame, its head included. Must hold the largest single entry. */
	readonly frameBytesMax: number;
	/** Of one lane to one peer, what the socket has not taken included. */
	readonly queueMessagesMax: number;
	readonly queueBytesMax: number;
	/** A stream that carried nothing for so long gets a heartbeat. */
	readonly linkHeartbeatMs: number;
	/** A stream without a byte for so long is closed: its other end is gone, or half of the way to it. */
	readonly linkSilenceMs: number;
	/** A stream whose other end took nothing for so long, though something waits, is closed: it lives and does not read. */
	readonly linkStallMs: number;
	readonly redialMinMs: number;
	readonly redialMaxMs: number;
	/** A stream that lived so long is redialed at once when it breaks, others wait. */
	readonly stableMs: number;
	/** From the start of a dial to the answer of the handshake; and how long a stranger may be silent. */
	readonly handshakeMs: number;
	/** Strangers at a time: connections whose hello was not read yet. */
	readonly strangersMax: number;
	/** g of rule H2: a peer whose lanes are all closed and who is not back after it is lost. */
	readonly lossGraceMs: number;
	/** How long `close` waits for what is queued to leave. */
	readonly closeMs: number;
}

export const DEFAULT_PEER_LIMITS: PeerLimits = {
	frameBytesMax: (16 << 20) + (64 << 10),
	queueMessagesMax: 4_096,
	queueBytesMax: 32 << 20,
	linkHeartbeatMs: 1_000,
	linkSilenceMs: 5_000,
	linkStallMs: 30_000,
	redialMinMs: 100,
	redialMaxMs: 5_000,
	stableMs: 1_000,
	handshakeMs: 2_000,
	strangersMax: 64,
	lossGraceMs: 30,
	closeMs: 500,
};
