import { METHODS } from "@flotilla/api";
import type { MethodTable } from "../front/seam.ts";
import { authService } from "./auth/auth-service.ts";
import { Callers } from "./auth/callers.ts";
import { clusterService } from "./cluster.ts";
import { electionService } from "./concurrency/election.ts";
import { lockService } from "./concurrency/lock.ts";
import type { ServiceDeps, ServiceWorld } from "./deps.ts";
import { unimplemented } from "./door.ts";
import { healthService } from "./health-rpc.ts";
import { type ProbeRoute, probeRoutes } from "./http-probes.ts";
import { kvService } from "./kv.ts";
import { leaseService } from "./lease.ts";
import { maintenanceService } from "./maintenance.ts";
import { OpenStreams } from "./open-streams.ts";
import { watchService } from "./watch.ts";

export interface Services {
	/** Every call of the API; those that this version cannot carry out say so. */
	readonly methods: MethodTable;
	readonly http: ReadonlyMap<string, ProbeRoute>;
	/** The member stops: open streams are told, and no new one begins. */
	endStreams(): void;
}

export function createServices(world: ServiceWorld): Services {
	const deps: ServiceDeps = { ...world, callers: new Callers(world) };
	const methods = new Map([...METHODS.keys()].map((path) => unimplemented(path)));
	for (const service of [clusterService, authService, healthService, lockService]) {
		for (const [path, handler] of service(deps)) methods.set(path, handler);
	}
	const streams = new OpenStreams(deps);
	for (const service of [kvService, maintenanceService, watchService, leaseService, electionService]) {
		for (const [path, handler] of service(deps, streams)) methods.set(path, handler);
	}
	return { methods, http: probeRoutes(deps), endStreams: () => streams.end() };
}
