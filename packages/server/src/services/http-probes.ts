/** /health, /livez, /readyz and /version on the client port (etcd API, chapter 11). */
import { NO_NODE } from "@flotilla/raft";
import { AlarmType, ReadCall } from "@flotilla/replica";
import type { HttpHandler, HttpRequest, HttpResponse } from "../front/seam.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { isLearner } from "./door.ts";

export interface ProbeRoute extends HttpHandler {
	readonly methods: readonly string[];
}

type Failure = string | null;
type Check = (deps: ServiceDeps, request: HttpRequest, done: (failure: Failure) => void) => void;

const TEXT = ["Content-Type", "text/plain; charset=utf-8"] as const;
const NO_SNIFF = ["X-Content-Type-Options", "nosniff"] as const;

export function probeRoutes(deps: ServiceDeps): ReadonlyMap<string, ProbeRoute> {
	const get = (handle: ProbeRoute["handle"]): ProbeRoute => ({ methods: ["GET"], handle });
	const routes = new Map<string, ProbeRoute>([
		["/version", get((_request, respond) => respond(versionAnswer(deps)))],
		["/health", get((request, respond) => answerHealth(deps, request, respond))],
	]);
	for (const [path, names] of Object.entries(PROBES)) {
		routes.set(
			path,
			get((request, respond) => answerProbe(deps, request, names, respond)),
		);
		for (const name of names)
			routes.set(
				`${path}/${name}`,
				get((request, respond) => answerProbe(deps, request, [name], respond)),
			);
	}
	return routes;
}

function versionAnswer({ member, options }: ServiceDeps): HttpResponse {
	const body = JSON.stringify({
		etcdserver: options.serverVersion,
		etcdcluster: member.status().clusterVersion || "not_decided",
		storage: options.storageVersion,
	});
	return { status: 200, headers: [["Content-Type", "application/json"]], body };
}

function answerHealth(deps: ServiceDeps, request: HttpRequest, respond: (response: HttpResponse) => void): void {
	const excluded = new Set(request.query.getAll("exclude"));
	const answer = (reason: string): void => {
		const body = JSON.stringify({ health: reason === "" ? "true" : "false", reason });
		respond(reason === "" ? { status: 200, headers: [TEXT], body } : { status: 503, headers: [TEXT, NO_SNIFF], body: `${body}\n` });
	};
	const { member } = deps;
	for (const { alarm } of member.alarms) {
		const name = alarm === AlarmType.noSpace ? "NOSPACE" : alarm === AlarmType.corrupt ? "CORRUPT" : "UNKNOWN";
		if (!excluded.has(name)) {
			answer(`ALARM ${name}`);
			return;
		}
	}
	if (request.query.get("serializable") === "true") {
		answer("");
		return;
	}
	if (member.status().leader === NO_NODE) {
		answer("RAFT NO LEADER");
		return;
	}
	readBarrier(deps, request, (failure) => answer(failure === null ? "" : `RANGE ERROR:${failure}`));
}

function readBarrier({ member }: ServiceDeps, request: HttpRequest, done: (failure: Failure) => void): void {
	const barrier = new ReadCall(0, (outcome) => done(outcome.ok ? null : statusOf(outcome.fault).message));
	request.onCancel?.(() => member.cancel(barrier));
	member.read(barrier);
}

const CHECKS: Readonly<Record<string, Check>> = {
	// A member that answers here can read its own state: there is no step in between that could fail.
	serializable_read: (deps, _request, done) => done(deps.member.store.revision > 0 ? null : "no state"),
	linearizable_read: readBarrier,
	data_corruption: ({ member }, _request, done) =>
		done(member.alarms.some(({ alarm }) => alarm === AlarmType.corrupt) ? "alarm activated: CORRUPT" : null),
	non_learner: (deps, _request, done) => done(isLearner(deps) ? "not supported for learner" : null),
};

const PROBES: Readonly<Record<string, readonly string[]>> = {
	"/livez": ["serializable_read"],
	"/readyz": ["data_corruption", "serializable_read", "linearizable_read", "non_learner"],
};

function answerProbe(deps: ServiceDeps, request: HttpRequest, names: readonly string[], respond: (response: HttpResponse) => void): void {
	const excluded = new Set(request.query.getAll("exclude"));
	const checked = names.filter((name) => !excluded.has(name));
	const results = new Map<string, Failure>();
	const finish = (): void => {
		if (results.size < checked.length) return;
		const failed = [...results.values()].some((failure) => failure !== null);
		const lines = checked.map((name) => {
			const failure = results.get(name) ?? null;
			return failure === null ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
		});
		const shown = failed || request.query.has("verbose") ? lines.join("") : "";
		respond({ status: failed ? 503 : 200, headers: [TEXT, NO_SNIFF], body: failed ? `${shown}\n` : `${shown}ok\n` });
	};
	if (checked.length === 0) {
		finish();
		return;
	}
	for (const name of checked) {
		CHECKS[name]?.(deps, request, (failure) => {
			results.set(name, failure);
			finish();
		});
	}
}
