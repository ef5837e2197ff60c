/** Warns while there is still room: at 70 and at 85 % of the quota (decisions 5.2). The alarm is the replica's. */

export interface SpaceWatch {
	/** To be called often; costs a comparison. */
	look(usedBytes: number): void;
}

const WARN_AT = [0.7, 0.85] as const;
/** A share is warned of again when the use has fallen so far below it meanwhile. */
const REARM = 0.05;

export function watchSpace(quotaBytes: number, warn: (percent: number, usedBytes: number) => void): SpaceWatch {
	if (quotaBytes <= 0) return { look() {} };
	/** How many of the marks were passed. */
	let passed = 0;
	const markBytes = (at: number): number => (WARN_AT[at] ?? Number.POSITIVE_INFINITY) * quotaBytes;
	return {
		look(usedBytes) {
			while (usedBytes >= markBytes(passed)) {
				warn(Math.round((WARN_AT[passed] as number) * 100), usedBytes);
				passed++;
			}
			while (passed > 0 && usedBytes < markBytes(passed - 1) - REARM * quotaBytes) passed--;
		},
	};
}
