/** Where the members of a run live, and how the network between them is broken there. */
import type { MemberProcess, ProcessSpec } from "../../process/member-process.ts";
import { POINT_FAULT } from "../faults/points.ts";
import type { LinkState } from "../links.ts";
import type { FaultLine, Scenario } from "../scenario.ts";

export const PLACES = ["processes", "namespaces", "containers"] as const;
export type PlaceName = (typeof PLACES)[number];

/** A direction between two members, by their names. */
export type Direction = readonly [from: string, to: string];

/** The hand on the network between members. */
export interface LinkHand {
	/** A member dials with this id (hexadecimal) from now on. */
	identify(id: string, name: string): Promise<void>;
	set(directions: readonly Direction[], state: Partial<LinkState>): Promise<void>;
	/** Closes all connections between two members. */
	reset(a: string, b: string): Promise<void>;
	heal(): Promise<void>;
}

/** What one member needs to know of its place. */
export interface Site {
	/** `host:port` where clients reach it. */
	readonly address: string;
	readonly listenClientUrl: string;
	readonly listenPeerUrl: string;
	/** Where the others dial it. */
	readonly peerUrl: string;
	/** Its data folder as the process itself sees it; null: as everybody does. */
	readonly folderInside: string | null;
	/** Every port of it that a stranger can come to. */
	readonly doors: ReadonlyArray<{ readonly host: string; readonly port: number }>;
}

export interface Place {
	/** One for each member, in their order. */
	readonly sites: readonly Site[];
	readonly links: LinkHand;
	/** A process that is to run at this site, with `dataDir` of this machine for its data. Not started. */
	process(site: Site, spec: ProcessSpec, dataDir: string): MemberProcess;
	/** Removes all that was made; members have ended. */
	close(): Promise<void>;
}

/** Faults that touch processes by number, their files by path, or links by their proxies. */
const NOT_IN_CONTAINERS: ReadonlySet<string> = new Set(["slow-disk", "failing-disk", "clock", "flap", "slow-links", "reset"]);

/** The proxies read from a connection's first bytes who dials: under TLS they cannot. */
const LINKS_IN_CLEAR: ReadonlySet<string> = new Set(["partition", "flap", "slow-links", "reset"]);

/** Null, or what of a scenario cannot be done at this place. */
export function cannotAt(place: PlaceName, { faults, tls, log }: Scenario): string | null {
	if (log === "short" && place === "containers") return "a short log cannot be had in containers: their image holds no test build";
	for (const line of faults) {
		const hidden = tls && place === "processes" && LINKS_IN_CLEAR.has(line.fault);
		const reason = hidden ? "its proxies cannot tell who dials by TLS" : cannotStrike(place, line);
		if (reason !== null) return `${line.fault} cannot be done in ${place}: ${reason}`;
	}
	return null;
}

function cannotStrike(place: PlaceName, { fault, details, given }: FaultLine): string | null {
	if (place === "namespaces" && fault === "slow-links") {
		const delays = ["delay", "jitter", "rate"].filter((name) => given.has(name));
		return delays.length === 0 ? null : `packets can be dropped there and not slowed down (${delays.join(", ")})`;
	}
	if (place !== "processes" && fault === POINT_FAULT) return "its port is on loopback";
	if (place !== "containers") return null;
	if (NOT_IN_CONTAINERS.has(fault)) return "it needs the member's own process, or links one by one";
	if (fault !== "partition") return null;
	const { shape, who, refused } = details;
	const single = ["one", "leader", "follower"].includes(String(who)) || /^m\d$/.test(String(who));
	return shape === "alone" && single && refused !== true ? null : "a container can only be taken off the network, alone";
}
