import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the range from which Linux takes the ports of outgoing connections (32,768 on): a port of that range may be taken by
 * any connection on the machine between this choice and its use.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;
const TRIES_MAX = 1_000;

/** Distinct free loopback ports, drawn at random so that test runs side by side seldom draw the same. */
export async function freePorts(count: number): Promise<number[]> {
	const ports = new Set<number>();
	for (let tries = 0; ports.size < count; tries++) {
		if (tries > TRIES_MAX) throw new Error(`no ${count} free ports between ${FIRST_PORT} and ${LAST_PORT}`);
		const port = randomInt(FIRST_PORT, LAST_PORT);
		if (!ports.has(port) && (await isFree(port))) ports.add(port);
	}
	return [...ports];
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
	});
}
