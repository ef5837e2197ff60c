/** Every fault that a scenario can name. */
import { haveProgram } from "../../process/tools.ts";
import type { Scenario } from "../scenario.ts";
import { DISK_FAULTS } from "./disks.ts";
import type { Fault } from "./fault.ts";
import { NETWORK_FAULTS } from "./network.ts";
import { OPERATIONS } from "./operations.ts";
import { POINT_FAULTS } from "./points.ts";
import { PROCESS_FAULTS } from "./processes.ts";
import { SURROUNDINGS } from "./surroundings.ts";

export const FAULTS: ReadonlyMap<string, Fault> = new Map(
	Object.entries({ ...PROCESS_FAULTS, ...NETWORK_FAULTS, ...DISK_FAULTS, ...OPERATIONS, ...SURROUNDINGS, ...POINT_FAULTS }),
);

/** Null, or why this scenario cannot be run here, naming what is missing. */
export function missingFor({ faults, log }: Scenario, program: string): string | null {
	if (log === "short" && program !== "flotilla") return `a short log cannot be had of ${program}`;
	for (const { fault: name } of faults) {
		const fault = FAULTS.get(name);
		if (fault?.programs !== undefined && !fault.programs.includes(program)) return `${name} cannot be done to ${program}`;
		for (const need of fault?.needs ?? []) {
			if (need === "root" ? process.getuid?.() !== 0 : !haveProgram(need)) return `${name} needs ${need}`;
		}
	}
	return null;
}
