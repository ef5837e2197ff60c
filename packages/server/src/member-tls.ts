import { join, resolve } from "node:path";
import type { TapSink } from "@flotilla/base";
import type { MemberConfig } from "./member-config.ts";
import { LiveTls } from "./tls/live-tls.ts";
import { selfSigned } from "./tls/self-signed.ts";
import type { TlsConfig } from "./tls/tls-config.ts";

/** Certificates of a member, towards its clients and towards its peers; null where the configuration names none. */
export interface MemberTls {
	readonly clients: LiveTls | null;
	readonly peers: LiveTls | null;
}

/** Throws when a file cannot be read, before anything else was made. */
export function openMemberTls(config: MemberConfig, tap: TapSink): MemberTls {
	const clientTls = filled(config, config.clientTls, "client", [...config.listenClientUrls, ...config.advertiseClientUrls]);
	const peerTls = filled(config, config.peerTls, "peer", [...config.listenPeerUrls, ...config.initialAdvertisePeerUrls]);
	const problem = (port: string) => (text: string) => tap.emit("certificatesProblem", 0, 0, { port, error: text });
	const clients = clientTls === null ? null : new LiveTls(clientTls, problem("client"));
	try {
		return { clients, peers: peerTls === null ? null : new LiveTls(peerTls, problem("peer")) };
	} catch (error) {
		clients?.close();
		throw error;
	}
}

/** A side without certificates of its own, where one is to be made, gets it here, in etcd's place. */
function filled({ dataDir }: MemberConfig, tls: TlsConfig | null, side: string, urls: readonly string[]): TlsConfig | null {
	if (tls === null || tls.selfSignedYears === 0) return tls;
	const hosts = urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""));
	return { ...tls, ...selfSigned(join(resolve(dataDir), "fixtures", side), hosts, tls.selfSignedYears, Date.now()) };
}
