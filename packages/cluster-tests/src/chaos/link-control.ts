import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LinkState, ProxiedMember } from "./links.ts";
import type { CommandDone, LinkCommand } from "./links-process.ts";

const PROGRAM = fileURLToPath(new URL("./links-process.ts", import.meta.url));

/** The hand on the links between members, which live in a process of their own. */
export class LinkControl {
	private readonly child: ChildProcess;
	private readonly waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
	private numbers = 0;

	constructor(seed: string) {
		// JSON knows no Infinity. A Ctrl-C in the terminal is for the tester, which needs the links to the end.
		this.child = fork(PROGRAM, [seed], { serialization: "advanced", execArgv: ["--conditions=@flotilla/source"], detached: true });
		this.child.on("message", ({ number, error }: CommandDone) => {
			const call = this.waiting.get(number);
			this.waiting.delete(number);
			if (error === null) call?.resolve();
			else call?.reject(new Error(error));
		});
		this.child.on("exit", (code, signal) => {
			for (const call of this.waiting.values()) call.reject(new Error(`the links ended: ${code ?? signal}`));
			this.waiting.clear();
		});
	}

	get pid(): number {
		return this.child.pid as number;
	}

	add(member: ProxiedMember): Promise<void> {
		return this.send({ do: "add", member });
	}

	identify(id: string, name: string): Promise<void> {
		return this.send({ do: "identify", id, name });
	}

	set(from: string, to: string, state: Partial<LinkState>): Promise<void> {
		return this.send({ do: "set", from, to, state });
	}

	reset(a: string, b: string): Promise<void> {
		return this.send({ do: "reset", a, b });
	}

	heal(): Promise<void> {
		return this.send({ do: "heal" });
	}

	async close(): Promise<void> {
		if (this.child.exitCode !== null || this.child.signalCode !== null) return;
		const ended = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
		this.child.disconnect();
		await ended;
	}

	private send(command: LinkCommand): Promise<void> {
		const number = this.numbers++;
		return new Promise((resolve, reject) => {
			this.waiting.set(number, { resolve, reject });
			this.child.send({ number, command }, (error) => {
				if (error === null) return;
				this.waiting.delete(number);
				reject(error);
			});
		});
	}
}
