/** A look at the ports before anything is made: a member that cannot listen must not leave a folder behind. */
import { createServer } from "node:net";
import { parsePeerUrl } from "./peers/peer-address.ts";

/** Rejects with the error of the first URL that cannot be listened on. The ports are free again when it resolves. */
export async function assertPortsFree(urls: readonly string[]): Promise<void> {
	for (const url of new Set(urls)) {
		const address = parsePeerUrl(url.replace(/^https:/, "http:"));
		// What is no such URL is refused, with a reason, by whoever listens there.
		if (address !== null && address.port !== 0) await tryPort(address.host, address.port);
	}
}

function tryPort(host: string, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		// Whoever comes in this moment, a peer that has started already, comes again: waiting for it to leave could last for ever.
		const server = createServer((socket) => socket.destroy());
		server.once("error", reject);
		server.listen({ host, port }, () => server.close(() => resolve()));
	});
}
