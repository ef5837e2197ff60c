import { marks } from "@flotilla/base";
import type { WalRefusal } from "./wal-interface.ts";

/** Where damage was found; parts that are not known are left out of the text. */
export interface DamagePlace {
	readonly path: string;
	readonly offset?: number;
	readonly seq?: number;
}

const WAYS_OUT =
	"This member may have acknowledged what is damaged or missing, so do not delete or cut any file. " +
	"Either remove this member from the cluster and add it anew with an empty data folder, or put back an intact copy of the file.";

export function refuseDamage(code: "corrupt" | "missing", place: DamagePlace, found: string): WalRefusal {
	marks.logDamageRefused++;
	return { code, text: `Cannot use the log: ${describePlace(place)}: ${found}. ${WAYS_OUT}` };
}

export function refuseForeign(place: DamagePlace, found: string): WalRefusal {
	return {
		code: "foreign",
		text: `Cannot use the log: ${describePlace(place)}: ${found}. Put back the file that belongs here, or name the data folder of this member.`,
	};
}

const OTHER_VERSION = {
	newer: "Start the newer program.",
	older: "Start the older program that wrote it, or remove this member from the cluster and add it anew with an empty data folder.",
} as const;

export function refuseVersion(code: "newer" | "older", place: DamagePlace, found: string): WalRefusal {
	return { code, text: `Cannot use the log: ${describePlace(place)}: ${found}. ${OTHER_VERSION[code]}` };
}

export function refuseIo(place: DamagePlace, doing: string, error: string): WalRefusal {
	return {
		code: "io",
		text: `Cannot use the log: ${doing} ${describePlace(place)} failed with ${error}. Mend the disk or its rights, then start again.`,
	};
}

function describePlace(place: DamagePlace): string {
	let text = place.path === "" ? "the member's folder" : place.path;
	if (place.offset !== undefined) text += `, offset ${place.offset}`;
	if (place.seq !== undefined) text += `, frame ${place.seq}`;
	return text;
}
