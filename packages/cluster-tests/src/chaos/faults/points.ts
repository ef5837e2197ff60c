/** Fault points inside members: the whole cluster is of test builds then. */
import { type AskedMember, callPoint } from "../../fault-points/point-call.ts";
import { ERRORS, POINTS, parseTerm } from "../../fault-points/point-table.ts";
import type { StageMember } from "../stage.ts";
import { oneOf, who } from "./details.ts";
import { choose, type Fault, type FaultWorld, holding, lasting, startIfEnded, startWhenEnded } from "./fault.ts";

export const POINT_FAULT = "point";

/** What no member survives: nothing may be written or stored behind such an error. */
const ENDS = /^\S+ \S*panic$|^(wal|store)\.(before|after)(Write|Sync|Batch|Barrier|Floor) \S*error/;
/** One that was told to sleep or to lose messages goes on: nobody waits for its end. */
const GOES_ON_MS = 200;

interface Armed {
	readonly point: string;
	readonly term: string;
}

/** Arms, waits, disarms, and starts again whom that has ended. False: it ended before it could be armed. */
async function strikePoint(world: FaultWorld, member: StageMember, { point, term }: Armed, forMs: number): Promise<boolean> {
	const { name, process } = member;
	const asked: AskedMember = { name, faultPort: world.stage.faultPort(member), ended: () => !process.running };
	const what = `${point} ${term}`;
	const ends = ENDS.test(what);
	const doomed = ends ? world.stage.doom(member) : null;
	const armed = await callPoint(asked, "PUT", point, term);
	if (armed !== null && armed.status !== 200) throw new Error(`${point}: ${armed.text}`);
	await world.pause(armed === null ? 0 : forMs);
	const left = armed === null ? null : await callPoint(asked, "DELETE", point);
	world.note(`${name}: ${left === null ? what : left.text}`);
	// Of a term with a count less is left once the member has met it.
	const counted = left !== null && /^\d+\*/.test(term);
	const met = counted && !left.text.startsWith(`${what} `);
	if (counted && !met) doomed?.spare();
	const lastLine =
		met && ends ? await startWhenEnded(world, member, what) : await startIfEnded(world, member, ends ? undefined : GOES_ON_MS);
	if (lastLine !== null) world.note(`${name} ended: ${lastLine}`);
	// Without an answer to the first question it was either the point that ended it, or something before.
	return armed !== null || (ends && lastLine !== null);
}

export const POINT_FAULTS: Readonly<Record<string, Fault>> = {
	[POINT_FAULT]: lasting({
		about: "a fault point inside a member is armed for a while",
		details: {
			who: who("one"),
			point: { kind: "text", allowed: oneOf(POINTS), reads: (text) => POINTS.some((name) => name === text) },
			term: {
				kind: "text",
				allowed: `panic, sleep("500ms") or error("NAME") with ${oneOf(ERRORS)}, behind 3* for three times or 10% for one time in ten`,
				reads: (text) => parseTerm(text) !== null,
			},
		},
		programs: ["flotilla"],
		async strike(world, details, forMs) {
			const [member] = (await choose(world, details.who)) ?? [];
			if (member === undefined) return null;
			let struck = false;
			const held = await holding([member], async () => {
				struck = await strikePoint(world, member, details, forMs);
			});
			return struck ? held : null;
		},
	}),
};
