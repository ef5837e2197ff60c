/** The member table as every member holds it (replicated, part of the floor's tables). */
import type { NodeId } from "@flotilla/raft";

export interface MemberInfo {
	readonly id: NodeId;
	/** Empty until the member has published itself. */
	readonly name: string;
	/** Sorted as strings. */
	readonly peerUrls: readonly string[];
	/** Empty until the member has published itself. */
	readonly clientUrls: readonly string[];
	readonly learner: boolean;
	/** The process life in which it published itself last. Absent until then. */
	readonly life?: number;
}

export const AlarmType = { none: 0, noSpace: 1, corrupt: 2 } as const;
export type AlarmType = (typeof AlarmType)[keyof typeof AlarmType];

export interface AlarmEntry {
	readonly member: NodeId;
	readonly alarm: AlarmType;
}
