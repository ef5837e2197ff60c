/** How a process is asked to stop, and how it ends then. */
import { constants } from "node:os";

export interface StopRequest {
	/** Null: the process that this one belongs to is gone. */
	readonly signal: NodeJS.Signals | null;
	/** As Go names it. */
	readonly describe: string;
}

/** Set by a parent that must not leave members behind: the end of standard input asks the process to stop. */
export const STOP_WITH_STDIN = "FLOTILLA_STOP_WITH_STDIN";

/** Calls `stop` at the first request; a second one ends the process at once. Returns the way to ask for the first. */
export function onStopRequest(environment: NodeJS.ProcessEnv, stop: (request: StopRequest) => void): () => StopRequest | null {
	let first: StopRequest | null = null;
	const ask = (request: StopRequest): void => {
		if (first !== null) {
			endBySignal(request.signal);
			return;
		}
		first = request;
		stop(request);
	};
	process.on("SIGTERM", () => ask({ signal: "SIGTERM", describe: "terminated" }));
	process.on("SIGINT", () => ask({ signal: "SIGINT", describe: "interrupt" }));
	if (environment[STOP_WITH_STDIN] === "1") {
		process.stdin.on("error", () => {});
		process.stdin.once("close", () => ask({ signal: null, describe: "parent process ended" }));
		process.stdin.resume();
	}
	return () => first;
}

/** Ends the process by the signal that asked for it, as etcd does, so that whoever sent it sees it obeyed; null: status 0. */
export function endBySignal(signal: NodeJS.Signals | null): void {
	if (signal === null) process.exit(0);
	process.removeAllListeners(signal);
	process.kill(process.pid, signal);
	// The first process of a container is immune to signals that it does not handle.
	setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
}
