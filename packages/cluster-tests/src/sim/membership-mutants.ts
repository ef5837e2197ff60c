import type { ReplicaMachine } from "@flotilla/replica";

/** Bugs of changes of the members against rule C3: nobody waits until a quorum knows durably that the change is committed. */
export const MEMBERSHIP_MUTANTS = ["answersAtApply", "leavesAtOnce"] as const;
export type MembershipMutant = (typeof MEMBERSHIP_MUTANTS)[number];

export function isMembershipMutant(name: string | null): name is MembershipMutant {
	return MEMBERSHIP_MUTANTS.some((each) => each === name);
}

/** Changes the parts of a machine; whoever observes it sees what they do. */
export function spoilSettlement(machine: ReplicaMachine, mutant: MembershipMutant): ReplicaMachine {
	const room = part(machine, "membership");
	switch (mutant) {
		case "answersAtApply": {
			const calls = part(room, "calls");
			const settle: unknown = Reflect.get(calls, "settle");
			if (typeof settle !== "function") throw new Error("calls are settled");
			Reflect.set(calls, "settle", () => Reflect.apply(settle, calls, [Number.MAX_SAFE_INTEGER]));
			return machine;
		}
		case "leavesAtOnce": {
			const settlement = part(room, "settlement");
			const self = machine.status().core.id;
			const gone = (): boolean => machine.status().core.role !== "leader" && !machine.members.some(({ id }) => id === self);
			Object.defineProperty(settlement, "selfRemoved", { get: () => machine.members.length > 0 && gone() });
			return machine;
		}
	}
}

function part(of: object, name: string): object {
	const found: unknown = Reflect.get(of, name);
	if (typeof found !== "object" || found === null) throw new Error(`there is a part ${name}`);
	return found;
}
