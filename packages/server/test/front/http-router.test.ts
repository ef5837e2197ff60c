import { describe, expect, test } from "vitest";
import { createHttpRouter, type HttpRoute, type HttpRouterOptions } from "../../src/front/http-router.ts";
import type { HttpHandler, HttpResponse } from "../../src/front/seam.ts";

const CORS = {
	"Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE",
	"Access-Control-Allow-Origin": "*",
	"Access-Control-Allow-Headers": "accept, content-type, authorization",
};

function routeOf(name: string): HttpRoute {
	return { methods: ["GET"], handle: (_request, respond) => respond({ status: 200, headers: [["x-route", name]], body: name }) };
}

const routes = new Map(["/health", "/livez", "/livez/", "/debug/", "/debug/pprof/"].map((path) => [path, routeOf(path)]));
const gateway: HttpHandler = { handle: (request, respond) => routeOf("gateway").handle(request, respond) };

interface Ask {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	/** Of the certificate that the client shows. */
	readonly commonName?: string;
	readonly options?: Partial<HttpRouterOptions>;
}

function ask(
	path: string,
	{ method = "GET", headers = {}, commonName, options = {} }: Ask = {},
): HttpResponse & { readonly fields: Record<string, string> } {
	const answers: HttpResponse[] = [];
	createHttpRouter({ routes, gateway, ...options }).handle(
		{
			...{ method, path, query: new URLSearchParams(), headers: new Map(Object.entries(headers)), body: new Uint8Array(0) },
			...(commonName === undefined ? {} : { secure: true, commonName }),
		},
		(response) => answers.push(response),
	);
	expect(answers).toHaveLength(1);
	const answer = answers[0] as HttpResponse;
	return { ...answer, fields: Object.fromEntries(answer.headers) };
}

describe("paths", () => {
	test.each([
		["/health", "/health"],
		["/livez", "/livez"],
		["/livez/serializable_read", "/livez/"],
		["/debug/vars", "/debug/"],
		["/debug/pprof/heap", "/debug/pprof/"],
	])("%s is served by %s", (path, route) => expect(ask(path).body).toBe(route));

	test.each(["/v3/kv/range", "/v3/nothing", "/v3beta/kv/range"])("%s goes to the gateway, whatever the method", (path) =>
		expect(ask(path, { method: "DELETE" }).body).toBe("gateway"),
	);

	test.each(["/", "/healthz", "/health/", "/v2/keys", "/v3", "/v3alpha/kv/range"])("%s is unknown", (path) => {
		expect(ask(path)).toMatchObject({
			status: 404,
			body: "404 page not found\n",
			fields: { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", ...CORS },
		});
	});

	test("without a gateway its paths are unknown", () => {
		const router = createHttpRouter({ routes });
		const answers: number[] = [];
		const request = { method: "POST", path: "/v3/kv/range", query: new URLSearchParams(), headers: new Map(), body: new Uint8Array(0) };
		router.handle(request, (response) => answers.push(response.status));
		expect(answers).toEqual([404]);
	});

	test("a method that a path does not have is answered with those that it has", () => {
		expect(ask("/health", { method: "POST" })).toMatchObject({ status: 405, body: "Method Not Allowed\n", fields: { Allow: "GET" } });
	});
});

describe("origins", () => {
	test("all are allowed unless said otherwise", () => {
		expect(ask("/health").fields).toEqual({ "x-route": "/health", ...CORS });
	});

	test("only those of the list, but all are served", () => {
		const options = { corsOrigins: ["https://a.example", "https://b.example"] };
		const named = ask("/health", { options, headers: { origin: "https://b.example" } });
		expect(named.fields["Access-Control-Allow-Origin"]).toBe("https://b.example");
		for (const headers of [{ origin: "https://c.example" }, undefined]) {
			expect(ask("/health", { options, ...(headers && { headers }) })).toMatchObject({ status: 200, fields: { "x-route": "/health" } });
			expect(ask("/health", { options, ...(headers && { headers }) }).fields).toEqual({ "x-route": "/health" });
		}
	});

	test.each(["/health", "/v3/kv/range", "/nothing"])("OPTIONS %s is answered and nothing else is done", (path) => {
		expect(ask(path, { method: "OPTIONS" })).toMatchObject({ status: 200, body: "", fields: CORS });
	});
});

describe("certificates with a name", () => {
	const options = { certificatesName: () => true };
	const words = "CommonName of client sending a request against gateway will be ignored and not used as expected\n";

	test.each(["/v3/kv/range", "/v3beta/kv/range", "/v3beta/nothing"])("%s is refused, since the gateway does not believe them", (path) => {
		expect(ask(path, { options, commonName: "ann" })).toMatchObject({ status: 400, body: words });
		expect(ask(path, { options }).body).toBe("gateway");
		expect(ask(path, { options: { certificatesName: () => false }, commonName: "ann" }).body).toBe("gateway");
	});

	test("other paths are served", () => expect(ask("/health", { options, commonName: "ann" }).status).toBe(200));
});

describe("host names", () => {
	const options = { hostWhitelist: ["db.example", "[::1]"] };

	test.each(["db.example", "db.example:2379", "[::1]:2379"])("%s is one of the list", (host) =>
		expect(ask("/health", { options, headers: { host } }).status).toBe(200),
	);

	test.each(["evil.example", "db.example.evil", ""])("%j is not, and is told why", (host) => {
		const answer = ask("/health", { options, headers: { host } });
		expect(answer.status).toBe(421);
		expect(answer.body).toContain("--host-whitelist");
		expect(answer.body).toContain("CVE-2018-5702");
	});

	test.each([[[]], [["*", "db.example"]]])("the list %j allows any", (hostWhitelist) =>
		expect(ask("/health", { options: { hostWhitelist }, headers: { host: "any.example" } }).status).toBe(200),
	);
});
