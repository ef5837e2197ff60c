/** What a run was made with, so that its report says which program, version and machine it speaks of. */
import { availableParallelism, release, totalmem, type } from "node:os";
import { ETCD_PROGRAM, FLOTILLA_PROGRAM } from "../process/cluster.ts";
import { runTool } from "../process/tools.ts";
import type { PlaceName } from "./places/place.ts";

export interface Setting {
	readonly program: "flotilla" | "etcd";
	/** What the program says of itself. */
	readonly version: string;
	readonly place: PlaceName;
	/** Given to every member, besides those of the place. */
	readonly flags: readonly string[];
	/** System, processors, memory and the tester's Node.js. */
	readonly machine: string;
	/** Wall clock, ISO 8601. */
	readonly startedAt: string;
}

export async function settingOf(program: "flotilla" | "etcd", place: PlaceName, flags: readonly string[]): Promise<Setting> {
	const { stdout } = await runTool(program === "etcd" ? ETCD_PROGRAM : FLOTILLA_PROGRAM, ["--version"]);
	const said = stdout.trim().split("\n").slice(0, 2).join(", ");
	const machine = `${type()} ${release()}, ${availableParallelism()} processors, ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.version}`;
	return { program, version: said, place, flags, machine, startedAt: new Date().toISOString() };
}
