/** HTTP routes of what is watched from outside: /metrics itself, and the probes with their ends counted. */
import { ETCD_LEVEL } from "./cli/version.ts";
import type { HttpRoute } from "./front/http-router.ts";
import { type MetricsSources, memberFigures } from "./member-metrics.ts";
import type { CallFigures } from "./metrics/call-figures.ts";
import { exposition } from "./metrics/exposition.ts";

/** Reachable before the member serves, too: that it does not is worth knowing. */
export const METRICS_PATH = "/metrics";

type Routes = ReadonlyMap<string, HttpRoute>;

/** `probes`: the routes of the services. */
export function watchedRoutes(
	probes: Routes,
	sources: Omit<MetricsSources, "serverVersion">,
): { readonly all: Routes; readonly metrics: Routes } {
	const metrics: HttpRoute = metricsRoute(sources);
	const all = new Map([...withHealthCounts(probes, sources.calls), [METRICS_PATH, metrics]]);
	// Ports of `--listen-metrics-urls` have metrics and probes alone (etcd API 11.1).
	return { all, metrics: new Map([...all].filter(([path]) => path !== "/version")) };
}

function metricsRoute(sources: Omit<MetricsSources, "serverVersion">): HttpRoute {
	const exposed = exposition(memberFigures({ ...sources, serverVersion: ETCD_LEVEL }), true);
	return {
		methods: ["GET"],
		handle(_request, respond) {
			exposed.text().then(
				(body) => respond({ status: 200, headers: [["Content-Type", exposed.contentType]], body }),
				(error: unknown) => respond({ status: 500, headers: [], body: `${error instanceof Error ? error.message : String(error)}\n` }),
			);
		},
	};
}

function withHealthCounts(probes: Routes, calls: CallFigures): Routes {
	return new Map(
		[...probes].map(([path, route]) => {
			if (path !== "/health") return [path, route];
			const counted: HttpRoute = {
				methods: route.methods,
				handle: (request, respond) =>
					route.handle(request, (response) => {
						if (response.status === 200) calls.healthy++;
						else calls.unhealthy++;
						respond(response);
					}),
			};
			return [path, counted];
		}),
	);
}
