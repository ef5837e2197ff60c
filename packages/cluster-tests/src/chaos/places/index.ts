import { existsSync } from "node:fs";
import { ETCD_PROGRAM } from "../../process/cluster.ts";
import { haveProgram, runTool } from "../../process/tools.ts";
import type { DeadMan } from "../dead-man-control.ts";
import { Containers } from "./containers.ts";
import { Loopback } from "./loopback.ts";
import { Namespaces } from "./namespaces.ts";
import type { Place, PlaceName } from "./place.ts";

/** Null, or what is missing for this place. */
export async function missingAt(place: PlaceName, program: "flotilla" | "etcd"): Promise<string | null> {
	if (program === "etcd" && !existsSync(ETCD_PROGRAM)) return `etcd is not at ${ETCD_PROGRAM} (Debian: apt-get install etcd-server)`;
	switch (place) {
		case "processes":
			return null;
		case "namespaces": {
			if (process.getuid?.() !== 0) return "namespaces need root";
			const missing = ["ip", "iptables"].find((name) => !haveProgram(name));
			return missing === undefined ? null : `namespaces need ${missing}`;
		}
		case "containers":
			if (program === "etcd") return "containers hold flotilla only";
			if (!haveProgram("docker")) return "containers need docker";
			return (await runTool("docker", ["info"])).status === 0 ? null : "containers need a Docker engine that runs";
	}
}

export function makePlace(place: PlaceName, names: readonly string[], seed: string, deadMan: DeadMan): Promise<Place> {
	switch (place) {
		case "processes":
			return Loopback.start(names, seed, deadMan);
		case "namespaces":
			return Namespaces.start(names, deadMan);
		case "containers":
			return Containers.start(names, deadMan);
	}
}
