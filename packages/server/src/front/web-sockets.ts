/** All WebSockets of one port: how many there are, the handshake, and a look at each of them now and then. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import type { WebSocketLimits } from "./front-options.ts";
import { HeldBytes } from "./held-bytes.ts";
import { CloseCode, type CutReason, WebSocketLink, type WebSocketWorld } from "./web-socket.ts";

const LOOK_MS_MAX = 1_000;
const CUT_WORDS: Readonly<Record<Exclude<CutReason, "unread" | "portFull">, string>> = {
	silent: "a ping was not answered",
	slow: "answers are not read",
	stalled: "requests do not arrive",
	flood: "messages and control frames without use",
};
/** A protocol by this name carries a token behind it: browsers let a page set no other header. */
export const BEARER = "Bearer";

export class WebSockets implements WebSocketWorld {
	readonly limits: WebSocketLimits;
	/** With the bodies of plain requests; whoever serves those looks for what stands still. */
	readonly held: HeldBytes;
	private readonly server: WebSocketServer;
	private readonly links = new Set<WebSocketLink>();
	private looks: NodeJS.Timeout | null = null;

	constructor(limits: WebSocketLimits) {
		this.limits = limits;
		this.held = new HeldBytes(limits);
		this.server = new WebSocketServer({
			noServer: true,
			clientTracking: false,
			// Its memory would be the client's to spend.
			perMessageDeflate: false,
			// Pongs are bounded here.
			autoPong: false,
			maxPayload: limits.messageBytesMax,
			// Each takes memory besides its bytes. A message of 4 MiB comes in some 3,000 packets.
			...{ maxFragments: 4_096, maxBufferedChunks: 8_192 },
			handleProtocols: (protocols) => (protocols.values().next().value === BEARER ? BEARER : false),
		});
	}

	/** There is no room for another one. */
	full(peer: string): boolean {
		if (this.links.size < this.limits.socketsMax) return false;
		this.limits.onLimit?.("webSockets", peer);
		return true;
	}

	/** Null when the handshake was none: it has its answer then. */
	open(request: IncomingMessage, socket: Socket, head: Buffer): WebSocketLink | null {
		let opened: WebSocketLink | null = null;
		this.server.handleUpgrade(request, socket, head, (ws) => {
			opened = new WebSocketLink(ws, socket, this);
			this.links.add(opened);
			this.lookOn();
		});
		return opened;
	}

	/** Those that wait for a first request are closed; the others end with their calls. */
	leave(): void {
		for (const link of this.links) if (!link.busy) link.close(CloseCode.goingAway, "the member stops");
	}

	onCut(link: WebSocketLink, reason: CutReason): void {
		if (reason === "unread") this.limits.onLimit?.("webSocketAnswers", link.peer);
		else if (reason === "portFull") this.limits.onLimit?.("unfinishedBodies", link.peer);
		else this.limits.onCut?.(CUT_WORDS[reason], link.peer);
	}

	onGone(link: WebSocketLink): void {
		this.links.delete(link);
		if (this.links.size > 0 || this.looks === null) return;
		clearInterval(this.looks);
		this.looks = null;
	}

	private lookOn(): void {
		const { pingMs, pongMs, readMs } = this.limits;
		const lookMs = Math.min(LOOK_MS_MAX, pingMs / 2, pongMs / 2, readMs / 2);
		this.looks ??= setInterval(() => {
			const nowMs = performance.now();
			for (const link of this.links) link.look(nowMs);
		}, lookMs).unref();
	}
}
