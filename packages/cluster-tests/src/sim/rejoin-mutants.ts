import { ADDRESS_FILE, type FileDisk, REJOIN_RULES, type RejoinRules } from "@flotilla/server/internal";

/**
 * Bugs of a member that takes the state of another one because its store is lost (rule S6). Those of the choice of a state need a
 * giver that lags behind the cut of the log, or a tail that outlives the others' progress: they are planted in `driver/rejoin.test.ts`.
 */
export const REJOIN_MUTANTS = ["forgetsVoteAtSwitch", "notesNoAddresses"] as const;
export type RejoinMutant = (typeof REJOIN_MUTANTS)[number];

export function isRejoinMutant(name: string | null): name is RejoinMutant {
	return REJOIN_MUTANTS.some((each) => each === name);
}

export function spoilRejoin(mutant: string | null): RejoinRules {
	switch (isRejoinMutant(mutant) ? mutant : null) {
		case null:
		case "notesNoAddresses":
			return REJOIN_RULES;
		case "forgetsVoteAtSwitch":
			return {
				...REJOIN_RULES,
				hardState: (floor, before) => ({ ...REJOIN_RULES.hardState(floor, before), vote: 0n }),
			};
	}
}

/** The file that names the members and where they listen is written without a word in it. */
export function blankAddresses(disk: FileDisk): FileDisk {
	return {
		submit: (op) => disk.submit(op.kind === "writeFile" && op.path.startsWith(ADDRESS_FILE) ? { ...op, data: new Uint8Array(0) } : op),
		get onCompletion() {
			return disk.onCompletion;
		},
		set onCompletion(listener) {
			disk.onCompletion = listener;
		},
	};
}
