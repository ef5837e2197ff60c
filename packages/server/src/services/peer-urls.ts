/** Host and port, with what may stand before and behind; the port may be missing or beyond all ports, as with etcd. */
const HOST_AND_PORT = /^https?:\/\/(?:[^\s/?#@]*@)?(?:\[[^\s/?#@[\]]*\]|[^\s/:@?#%[\]]*):\d*(?:[?#]\S*)?$/;
const SOCKET_PATH = /^unixs?:\/\/\S+$/;

/** A peer URL as MemberAdd keeps it: without blanks around it, its scheme in small letters. */
export function peerUrlOf(url: string): string {
	return url.trim().replace(/^[a-z]+:/i, (scheme) => scheme.toLowerCase());
}

/** What MemberAdd takes as a peer URL: scheme, host (which may be empty, as with etcd) and port without a path, or a Unix socket. */
export function isPeerUrl(url: string): boolean {
	const kept = peerUrlOf(url);
	return HOST_AND_PORT.test(kept) || SOCKET_PATH.test(kept);
}
