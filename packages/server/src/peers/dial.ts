/** Opens connections to peers, over TLS where their URLs say so: then their certificates must be good for the host that was dialed. */
import { createConnection, isIP, type Socket } from "node:net";
import { connect } from "node:tls";
import type { LiveTls } from "../tls/live-tls.ts";
import type { PeerTarget } from "./peer-address.ts";

/** `onReady` runs when something can be said. Errors come as the socket's. */
export function dialPeer({ host, port, secure }: PeerTarget, tls: LiveTls | null, onReady: (socket: Socket) => void): Socket {
	if (!secure) {
		const socket = createConnection({ host, port, noDelay: true });
		socket.once("connect", () => onReady(socket));
		return socket;
	}
	const socket = connect({
		...{ host, port, rejectUnauthorized: tls?.trustsAnybody !== true },
		...(isIP(host) === 0 ? { servername: host } : {}),
		...tls?.dialContext,
	});
	socket.setNoDelay(true);
	socket.once("secureConnect", () => {
		const revoked = tls?.revokedIn(socket.getPeerCertificate(true)) ?? null;
		if (revoked === null) onReady(socket);
		else socket.destroy(new Error(revoked));
	});
	return socket;
}
