import { join, resolve } from "node:path";
import type { TapSink } from "@flotilla/base";
import { makeFolders } from "./make-folders.ts";
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
	const open = (side: "client" | "peer"): LiveTls | null => {
		const tls =
			side === "client"
				? filled(config, config.clientTls, side, [...config.listenClientUrls, ...config.advertiseClientUrls])
				: filled(config, config.peerTls, side, [...config.listenPeerUrls, ...config.initialAdvertisePeerUrls]);
		return tls === null ? null : new LiveTls(tls, (text) => tap.emit("certificatesProblem", 0, 0, { port: side, error: text }));
	};
	// What is made comes behind what is given: a file that is missing leaves nothing behind.
	const order = isMade(config.clientTls) ? (["peer", "client"] as const) : (["client", "peer"] as const);
	const first = open(order[0]);
	try {
		const second = open(order[1]);
		return order[0] === "client" ? { clients: first, peers: second } : { clients: second, peers: first };
	} catch (error) {
		first?.close();
		throw error;
	}
}

function isMade(tls: TlsConfig | null): boolean {
	return tls !== null && tls.selfSignedYears > 0;
}

/** A side without certificates of its own, where one is to be made, gets it here, in etcd's place. */
function filled({ dataDir }: MemberConfig, tls: TlsConfig | null, side: string, urls: readonly string[]): TlsConfig | null {
	if (tls === null || !isMade(tls)) return tls;
	const hosts = urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""));
	const folder = join(resolve(dataDir), "fixtures", side);
	makeFolders(folder);
	return { ...tls, ...selfSigned(folder, hosts, tls.selfSignedYears, Date.now()) };
}
