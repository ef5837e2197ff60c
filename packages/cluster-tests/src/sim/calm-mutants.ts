import type { ReplicaMachine } from "@flotilla/replica";
import type { LossWatchOptions } from "@flotilla/server/internal";

/** Bugs of the rules H: each makes a cluster restless when connections break that would soon be back. */
export const CALM_MUTANTS = ["trustsEveryLoss", "unseatsHeardLeader"] as const;
export type CalmMutant = (typeof CALM_MUTANTS)[number];

export function isCalmMutant(name: string | null): name is CalmMutant {
	return CALM_MUTANTS.some((each) => each === name);
}

/** Rule H7 left out: a loss that came to nothing makes the next one no less credible. */
export function spoilLoss(options: LossWatchOptions, mutant: string | null): LossWatchOptions {
	return mutant === "trustsEveryLoss" ? { ...options, graceMaxMs: options.graceMs } : options;
}

/** Rule H5 left out: who still hears the leader says yes all the same, and votes as if nobody led. */
export function spoilVotes(machine: ReplicaMachine, mutant: CalmMutant): Partial<ReplicaMachine> {
	if (mutant !== "unseatsHeardLeader") return {};
	return {
		receive: (message) => machine.receive(message.kind === "vote" ? { ...message, transfer: true } : message),
		drain: () => {
			const output = machine.drain();
			const send = output.send.map((message) =>
				message.kind === "preVoteResp" && message.sticky ? { ...message, term: message.term + 1, reject: false, sticky: false } : message,
			);
			return { ...output, send };
		},
	};
}
