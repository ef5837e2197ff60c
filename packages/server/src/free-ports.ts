/** Loopback ports for servers that are about to be started, for tests and for tools that start clusters of their own. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the range from which Linux takes the ports of outgoing connections (32,768 on): a port of that range may be taken by
 * any connection on the machine between this choice and its use.
 */
const FIRST_PORT = 12_000;
const PORTS = 20_000;
/** Workers of a test run draw from slices of their own: none takes what another has chosen and not yet bound. */
const SLICES = 4;
/** A port that was handed out is not handed out again before so many others: its server may still be on its way. */
const REMEMBERED = 2_000;
const TRIES_MAX = 10_000;

const recent = new Set<number>();

/** Distinct loopback ports that are free and that this process was not given a short while ago. */
export async function freePorts(count: number): Promise<number[]> {
	const worker = Number(process.env.VITEST_POOL_ID ?? Number.NaN);
	const [first, width] = Number.isSafeInteger(worker)
		? [FIRST_PORT + (worker % SLICES) * (PORTS / SLICES), PORTS / SLICES]
		: [FIRST_PORT, PORTS];
	const ports: number[] = [];
	for (let tries = 0; ports.length < count; tries++) {
		if (tries > TRIES_MAX) throw new Error(`no ${count} free ports between ${first} and ${first + width - 1}`);
		const port = randomInt(first, first + width);
		if (recent.has(port)) continue;
		// Remembered before it is tried: another call may be under way.
		remember(port);
		if (await isFree(port)) ports.push(port);
	}
	return ports;
}

function remember(port: number): void {
	recent.add(port);
	for (const oldest of recent) {
		if (recent.size <= REMEMBERED) return;
		recent.delete(oldest);
	}
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
	});
}
