/** Of `ip:port`: without the port, which every connection has anew. */
export function addressOf(peer: string): string {
	const colon = peer.lastIndexOf(":");
	return colon < 0 ? peer : peer.slice(0, colon);
}
