/**
 * The test build of a member, with options that no flag sets: `node tuned-member.ts <TunedMember as JSON>`. Where
 * FLOTILLA_FAULT_POINTS names a port of loopback, it has fault points that can be armed there.
 */
import { DEFAULT_MEMBER_OPTIONS, startMember } from "@flotilla/server";
import { openFaultPoints } from "../fault-points/around.ts";

/** What tests make small or switch off of `MemberConfig`. */
export interface Tuning {
	readonly walSegmentBytes?: number;
	readonly walKeepEntries?: number;
	readonly walKeepBytes?: number;
	readonly logMemoryEntries?: number;
	readonly snapshotPartBytes?: number;
	readonly snapshotPartPauseMs?: number;
	readonly snapshotCount?: number;
	readonly floorBytes?: number;
	readonly steadyMs?: number;
	readonly strictReconfigCheck?: boolean;
	readonly electionMs?: number;
}

export interface TunedMember {
	/** Place in the lists. */
	readonly self: number;
	readonly names: readonly string[];
	readonly clientUrls: readonly string[];
	/** As the others are to reach them. */
	readonly peerUrls: readonly string[];
	readonly listenPeerUrl: string;
	readonly dataDir: string;
	readonly tuning: Tuning;
}

const CLUSTER_ID = 0x7e57n;

const { self, names, clientUrls, peerUrls, listenPeerUrl, dataDir, tuning } = JSON.parse(process.argv[2] ?? "") as TunedMember;
const idOf = (place: number): bigint => BigInt(place + 1) * 0x1111n;
const ownClientUrls = clientUrls.slice(self, self + 1);
const ownPeerUrls = peerUrls.slice(self, self + 1);

const { FLOTILLA_FAULT_POINTS: faultPort } = process.env;
const around = faultPort === undefined ? {} : { around: await openFaultPoints(Number(faultPort)) };
const config = {
	...DEFAULT_MEMBER_OPTIONS,
	...tuning,
	name: names[self] ?? "",
	dataDir,
	listenClientUrls: ownClientUrls,
	advertiseClientUrls: ownClientUrls,
	listenPeerUrls: [listenPeerUrl],
	initialAdvertisePeerUrls: ownPeerUrls,
	initialCluster: names.map((name, place) => ({ id: idOf(place), name, peerUrls: peerUrls.slice(place, place + 1) })),
	memberId: idOf(self),
	clusterId: CLUSTER_ID,
};
await startMember(config, around);
