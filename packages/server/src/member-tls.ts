import type { TapSink } from "@flotilla/base";
import type { MemberConfig } from "./member-config.ts";
import { LiveTls } from "./tls/live-tls.ts";

/** Certificates of a member, towards its clients and towards its peers; null where the configuration names none. */
export interface MemberTls {
	readonly clients: LiveTls | null;
	readonly peers: LiveTls | null;
}

/** Throws when a file cannot be read, before anything was made. */
export function openMemberTls({ clientTls, peerTls }: Pick<MemberConfig, "clientTls" | "peerTls">, tap: TapSink): MemberTls {
	const problem = (port: string) => (text: string) => tap.emit("certificatesProblem", 0, 0, { port, error: text });
	const clients = clientTls === null ? null : new LiveTls(clientTls, problem("client"));
	try {
		return { clients, peers: peerTls === null ? null : new LiveTls(peerTls, problem("peer")) };
	} catch (error) {
		clients?.close();
		throw error;
	}
}
