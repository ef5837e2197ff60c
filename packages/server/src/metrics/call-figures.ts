/** What clients call, counted by method; read only when somebody looks. */
import { Buckets } from "./buckets.ts";

/** Prometheus's default bounds. */
const HANDLING_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Codes of gRPC, 0 to 16. */
const CODES = 17;

export class MethodFigures {
	started = 0;
	received = 0;
	sent = 0;
	readonly handled = new Float64Array(CODES);
	/** Unary calls only. */
	readonly seconds = new Buckets(HANDLING_SECONDS);
}

export class CallFigures {
	readonly methods: ReadonlyMap<string, MethodFigures>;
	receivedBytes = 0;
	sentBytes = 0;
	unaryStarted = 0;
	streamsStarted = 0;
	/** Answers of /health. */
	healthy = 0;
	unhealthy = 0;
	/** By what clients say of themselves (`client-api-version`); a stranger cannot add without end. */
	readonly clients = new Map<string, number>();

	constructor(paths: Iterable<string>) {
		this.methods = new Map([...paths].map((path) => [path, new MethodFigures()]));
	}

	client(version: string): void {
		const name = this.clients.has(version) || this.clients.size < CLIENTS_MAX ? version : "other";
		this.clients.set(name, (this.clients.get(name) ?? 0) + 1);
	}
}

const CLIENTS_MAX = 32;
