/** How the servers are to be reached besides their addresses: certificates and who asks, as etcdctl takes them. */

export interface Access {
	/** For endpoints with `https://`. What is not given is Node's own: its authorities, no certificate. */
	readonly tls: {
		readonly ca?: Buffer;
		readonly cert?: Buffer;
		readonly key?: Buffer;
		/** The server's certificate may be anybody's. */
		readonly trustAnybody: boolean;
	};
	/** Null: without a login. */
	readonly user: { readonly name: string; readonly password: string } | null;
}

export const OPEN_ACCESS: Access = { tls: { trustAnybody: false }, user: null };

export interface Address {
	readonly host: string;
	readonly port: number;
	readonly secure: boolean;
}

/** `host:port`, with `http://` or `https://` before it or not. */
export function splitEndpoint(endpoint: string): Address {
	const match = /^(?:(https?):\/\/)?(\[[^\]]+\]|[^:/]+):(\d{1,5})\/?$/.exec(endpoint);
	if (match === null) throw new Error(`not an endpoint: ${endpoint} (need host:port)`);
	const [, scheme, host = "", port] = match;
	return { host: host.replace(/^\[|\]$/g, ""), port: Number(port), secure: scheme === "https" };
}

/** As it is sent in `:authority`. */
export function authorityOf({ host, port }: Address): string {
	return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
