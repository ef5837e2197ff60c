/**
 * Each process life is noted in the data folder before anybody can hear of it. So a member that meets an announcement of its own,
 * of a life that its folder does not know, runs on an old copy of the folder, or its folder was copied: it has forgotten votes and
 * acknowledgements.
 */
import type { NodeId } from "@flotilla/raft";
import { decodeMember, type TableRow } from "@flotilla/replica";
import type { MemberFormat } from "./format-file.ts";

/** As many between two floors: nobody counts any further. */
const LIVES_MAX = 1_024;

/** What the format file is to say once `life` has begun; undefined: nobody counts. Lives before the floor's announcement never come again. */
export function livesWith(life: number, { lives, memberId }: MemberFormat, rows: readonly TableRow[]): readonly number[] | undefined {
	if (lives === undefined) return undefined;
	const announced = announcedLife(memberId, rows);
	const kept = announced === undefined ? lives : lives.slice(Math.max(0, lives.indexOf(announced)));
	return kept.length < LIVES_MAX ? [...kept, life] : undefined;
}

function announcedLife(self: NodeId, rows: readonly TableRow[]): number | undefined {
	for (const { key, value } of rows) {
		if (!key.startsWith("members/")) continue;
		const member = decodeMember(value);
		if (member.id === self) return member.life;
	}
	return undefined;
}
