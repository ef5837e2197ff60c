import { type ChannelCredentials, credentials } from "@grpc/grpc-js";

const SECURE = "https://";

export interface Channel {
	/** `host:port`. */
	readonly target: string;
	readonly credentials: ChannelCredentials;
}

/** How a member is dialed. `https://host:port`: by TLS, and whatever certificate it shows, since it may have made it itself. */
export function channelTo(address: string): Channel {
	if (!address.startsWith(SECURE)) return { target: address, credentials: credentials.createInsecure() };
	return { target: address.slice(SECURE.length), credentials: credentials.createSsl(null, null, null, { rejectUnauthorized: false }) };
}
