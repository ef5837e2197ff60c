/** A question to a member's fault points, when the member goes on, when it ends meanwhile, and when nobody is there. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { callPoint } from "./point-call.ts";

const servers: Server[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) server.close();
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
	const server = createServer(answer);
	servers.push(server);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}

const runs = (faultPort: number) => ({ name: "m2", faultPort, ended: () => false });

test("it is answered with status and text, each time on a connection of its own", async () => {
	const ports = new Set<number | undefined>();
	const port = await serve((request, response) => {
		ports.add(request.socket.remotePort);
		response.end(`${request.method} ${request.url}\n`);
	});
	expect(await callPoint(runs(port), "PUT", "wal.afterWrite", "panic")).toEqual({ status: 200, text: "PUT /wal.afterWrite" });
	expect(await callPoint(runs(port), "DELETE", "wal.afterWrite")).toEqual({ status: 200, text: "DELETE /wal.afterWrite" });
	expect(ports.size).toBe(2);
});

test("a point that ends its member before the answer has left is no error", async () => {
	let ended = false;
	let asked = 0;
	const port = await serve((request) => {
		asked++;
		// The sockets of a process close before its end is known.
		request.socket.destroy();
		setTimeout(() => {
			ended = true;
		}, 120);
	});
	expect(await callPoint({ ...runs(port), ended: () => ended }, "PUT", "wal.afterWrite", "1*panic")).toBe(null);
	expect(asked).toBeGreaterThan(0);
});

test("an answer that is lost once is asked for again", async () => {
	let asked = 0;
	const port = await serve((request, response) => {
		if (++asked === 1) request.socket.destroy();
		else response.end("done\n");
	});
	expect(await callPoint(runs(port), "DELETE", "wal.afterWrite")).toEqual({ status: 200, text: "done" });
	expect(asked).toBe(2);
});

test("a member that runs and does not answer is an error with its name, address and cause", async () => {
	const port = await serve(() => {});
	await expect(callPoint(runs(port), "PUT", "wal.afterWrite", "panic", 100)).rejects.toThrow(
		`fault point wal.afterWrite of m2 at 127.0.0.1:${port} does not answer, and the member runs: no answer within 100 ms`,
	);
	servers[0]?.closeAllConnections();
	await new Promise((resolve) => servers.splice(0)[0]?.close(resolve));
	await expect(callPoint(runs(port), "PUT", "wal.afterWrite", "panic", 100)).rejects.toThrow(
		`fault point wal.afterWrite of m2 at 127.0.0.1:${port} does not answer, and the member runs: connect ECONNREFUSED 127.0.0.1:${port}`,
	);
});
