import { isIP } from "node:net";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";

const SECURE = "https://";

export interface Channel {
	/** `host:port`. */
	readonly target: string;
	readonly credentials: ChannelCredentials;
	readonly options: ChannelOptions;
}

/** The library would send an address as the name that it asks for, which RFC 6066 does not allow (3). */
export const NAMED: ChannelOptions = { "grpc.ssl_target_name_override": "localhost" };

/** How a member is dialed. `https://host:port`: by TLS, and whatever certificate it shows, since it may have made it itself. */
export function channelTo(address: string): Channel {
	if (!address.startsWith(SECURE)) return { target: address, credentials: credentials.createInsecure(), options: {} };
	return {
		target: address.slice(SECURE.length),
		credentials: credentials.createSsl(null, null, null, { rejectUnauthorized: false }),
		options: isIP(new URL(address).hostname) === 0 ? {} : NAMED,
	};
}
