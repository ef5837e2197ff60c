/** Whoever started a migration: Enter or a signal switches while the target is kept in step; at other times a signal gives up. */
import { print } from "../output.ts";
import type { Operator } from "./migrate.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export class Terminal implements Operator {
	readonly givenUp: Promise<never>;
	private readonly once: boolean;
	private readonly giveUp: (error: Error) => void;
	private switching: (() => void) | null = null;
	private wish: Promise<void> | null = null;

	/** `once`: nobody is waited for. */
	constructor(once: boolean) {
		this.once = once;
		const { promise, reject } = Promise.withResolvers<never>();
		promise.catch(() => {});
		this.givenUp = promise;
		this.giveUp = reject;
		for (const signal of SIGNALS) process.on(signal, this.onSignal);
		// What was typed before is no wish to switch. The end of a pipe is none either: a service has none to begin with.
		if (!once) process.stdin.on("data", this.onLine);
	}

	tell(line: string): void {
		try {
			print(`${line}\n`);
		} catch (error) {
			this.giveUp(error as Error);
		}
	}

	switched(): Promise<void> {
		if (this.once) return Promise.resolve();
		if (this.wish === null) {
			const { promise, resolve } = Promise.withResolvers<void>();
			this.wish = promise;
			this.switching = resolve;
		}
		return this.wish;
	}

	close(): void {
		for (const signal of SIGNALS) process.off(signal, this.onSignal);
		process.stdin.off("data", this.onLine);
		process.stdin.unref?.();
	}

	private readonly onLine = (): void => {
		this.switching?.();
		this.switching = null;
	};

	private readonly onSignal = (signal: NodeJS.Signals): void => {
		if (this.switching === null) this.giveUp(new Error(`stopped by ${signal}`));
		else this.onLine();
	};
}
