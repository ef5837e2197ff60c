/** HTTP paths of the client port, with what holds for all of them: allowed origins, host names, methods. */
import { plain } from "./http1-server.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./seam.ts";

export interface HttpRoute extends HttpHandler {
	/** Requests by another method are answered 405. */
	readonly methods: readonly string[];
}

export interface HttpRouterOptions {
	/** By path. One that ends in `/` serves everything below it, too. */
	readonly routes: ReadonlyMap<string, HttpRoute>;
	/** Serves `/v3/`, which `/v3beta/` stands for, too; it answers for methods and unknown paths there by itself. */
	readonly gateway?: HttpHandler;
	/** Origins that browsers may call from; `*` stands for all. */
	readonly corsOrigins?: readonly string[];
	/** Whether certificates say at the gRPC port who calls: the gateway never believes them, and whoever shows one is told. */
	readonly certificatesName?: () => boolean;
	/** Host names that requests without TLS may carry; empty or `*`: any. */
	readonly hostWhitelist?: readonly string[];
}

export function createHttpRouter(options: HttpRouterOptions): HttpHandler {
	const origins = new Set(options.corsOrigins ?? ["*"]);
	const corsHeaders = corsHeadersFor(origins);
	const originAllowed = (origin: string | undefined): boolean => origin === undefined || origins.has("*") || origins.has(origin);
	const hostAllowed = hostCheck(options.hostWhitelist ?? ["*"]);
	const find = pathFinder(options);
	return {
		handle(asked, respond) {
			const request = underPresentName(asked);
			const cors = corsHeaders(request.headers.get("origin"));
			const answer = (response: HttpResponse): void => respond({ ...response, headers: [...response.headers, ...cors] });
			// Whoever came over TLS has checked the name by the certificate.
			if (request.secure !== true && !hostAllowed(request.headers.get("host") ?? "")) return answer(plain(421, hostRefusal(request)));
			if (request.commonName !== undefined && request.path.startsWith("/v3/") && options.certificatesName?.() === true) {
				return answer(plain(400, COMMON_NAME_IGNORED));
			}
			// Nothing but this keeps a page of another origin from a WebSocket: browsers ask the server here, not their user's rules.
			if (request.openSocket !== undefined && !originAllowed(request.headers.get("origin"))) {
				return answer(plain(403, "pages of this origin may not open WebSockets: name it with --cors"));
			}
			if (request.method === "OPTIONS") return answer({ status: 200, headers: [], body: "" });
			const route = find(request.path);
			if (route === null) return answer(plain(404, "404 page not found"));
			if ("methods" in route && !route.methods.includes(request.method)) {
				return answer(plain(405, "Method Not Allowed", [["Allow", route.methods.join(", ")]]));
			}
			return route.handle(withHeaders(request, cors), answer);
		},
	};
}

const FORMER = "/v3beta/";

/** Before anything else is asked: what holds for `/v3/` holds there. */
function underPresentName(request: HttpRequest): HttpRequest {
	return request.path.startsWith(FORMER) ? { ...request, path: `/v3/${request.path.slice(FORMER.length)}` } : request;
}

const COMMON_NAME_IGNORED = "CommonName of client sending a request against gateway will be ignored and not used as expected";

/** An answer that is streamed carries the same headers as any other. */
function withHeaders(request: HttpRequest, headers: HttpResponse["headers"]): HttpRequest {
	const stream = request.stream?.bind(request);
	if (stream === undefined || headers.length === 0) return request;
	return { ...request, stream: (head) => stream({ status: head.status, headers: [...head.headers, ...headers] }) };
}

function pathFinder({ routes, gateway }: HttpRouterOptions): (path: string) => HttpRoute | HttpHandler | null {
	const folders = [...routes.keys()].filter((path) => path.endsWith("/")).sort((a, b) => b.length - a.length);
	return (path) => {
		const exact = routes.get(path);
		if (exact !== undefined) return exact;
		if (gateway !== undefined && path.startsWith("/v3/")) return gateway;
		const folder = folders.find((prefix) => path.startsWith(prefix));
		return folder === undefined ? null : (routes.get(folder) ?? null);
	};
}

/** An origin that is not allowed is served all the same: it is the browser that withholds the answer. */
function corsHeadersFor(origins: ReadonlySet<string>): (origin: string | undefined) => HttpResponse["headers"] {
	return (origin) => {
		const allowed = origins.has("*") ? "*" : origin !== undefined && origins.has(origin) ? origin : null;
		if (allowed === null) return [];
		return [
			["Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"],
			["Access-Control-Allow-Origin", allowed],
			["Access-Control-Allow-Headers", "accept, content-type, authorization"],
		];
	};
}

function hostCheck(whitelist: readonly string[]): (host: string) => boolean {
	if (whitelist.length === 0 || whitelist.includes("*")) return () => true;
	const allowed = new Set(whitelist);
	return (host) => allowed.has(host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : (host.split(":")[0] ?? ""));
}

function hostRefusal(request: HttpRequest): string {
	const host = request.headers.get("host") ?? "";
	return [
		`The host name of this request, ${JSON.stringify(host)}, is not one that this member answers to.`,
		"Without this check a web page could reach it by DNS rebinding (CVE-2018-5702).",
		"Name the allowed hosts with --host-whitelist.",
	].join("\n");
}
