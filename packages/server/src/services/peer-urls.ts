const HOST_AND_PORT = /^https?:\/\/(?:\[[0-9a-fA-F:.%]+\]|[^\s/:@?#[\]]*):(\d{1,5})$/;
const SOCKET_PATH = /^unixs?:\/\/\S+$/;

/** What MemberAdd takes as a peer URL: scheme, host (which may be empty, as with etcd) and port without a path, or a Unix socket. Blanks around it do not count. */
export function isPeerUrl(url: string): boolean {
	const text = url.trim();
	const port = HOST_AND_PORT.exec(text)?.[1];
	return port === undefined ? SOCKET_PATH.test(text) : Number(port) <= 65_535;
}
