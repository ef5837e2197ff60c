/** `npm start`: three members on this machine, a live table of them, and keys to break and mend them. */
import { relative } from "node:path";
import { LocalMember } from "./local-member.ts";
import { LOCAL_USAGE, readLocalOptions } from "./local-options.ts";
import { type LocalPlan, planLocalCluster, rememberServed } from "./local-plan.ts";
import { ownsTerminal, PlainScreen, type Screen, TerminalScreen } from "./local-screen.ts";
import { LocalWatch } from "./local-watch.ts";
import { print } from "./output.ts";
import { watchStarters } from "./starters.ts";

const STOP_MS = 10_000;
const STARTERS_POLL_MS = 500;
const PATIENCE_MS = 15_000;

/** Runs until it is asked to stop. Resolves with the exit status. */
export async function startLocal(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
	const options = readLocalOptions(args, environment);
	if (!options.ok) return refuse(options.reason);
	if (options.value.help) {
		print(LOCAL_USAGE);
		return 0;
	}
	const { folder, ports, portsGiven } = options.value;
	const plan = await planLocalCluster(folder, ports, portsGiven);
	if (!plan.ok) return refuse(plan.reason);
	return new LocalCluster(folder, plan.value).run();
}

function refuse(reason: string): number {
	process.stderr.write(`flotilla: ${reason}\n`);
	return 1;
}

class LocalCluster {
	private readonly folder: string;
	private readonly plan: LocalPlan;
	private readonly members: readonly LocalMember[];
	private readonly screen: Screen;
	private readonly watch: LocalWatch;
	private readonly stopping = new AbortController();
	private restoreTerminal: () => void = () => {};

	constructor(folder: string, plan: LocalPlan) {
		this.folder = folder;
		this.plan = plan;
		const initialCluster = plan.members.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(",");
		this.members = plan.members.map((row) => new LocalMember(row, folder, initialCluster));
		this.screen = ownsTerminal() ? new TerminalScreen(process.stdout) : new PlainScreen(process.stdout);
		const keys = "  k kills the leader   r restarts dead members   q stops";
		this.watch = new LocalWatch(this.members, this.screen, this.screen.live ? ["", keys] : []);
	}

	async run(): Promise<number> {
		this.listen();
		try {
			this.announce();
			const started = await this.start();
			if (started !== "ready") return started === "failed" ? 1 : 0;
			await rememberServed(this.folder, this.plan.members);
			this.explain();
			this.watch.begin();
			for (const member of this.members) {
				member.onLoss = (how) => {
					this.screen.say(`${member.row.name} ended by itself (${how}); its log: ${this.show(member.logFile)}`);
					this.watch.sayQuorum();
				};
			}
			await aborted(this.stopping.signal);
			return 0;
		} finally {
			await this.stop();
		}
	}

	private announce(): void {
		const { moved, fresh } = this.plan;
		for (const { member, wanted, used } of moved) this.screen.say(`Port ${wanted} is taken: ${member} uses ${used} instead.`);
		const folder = this.show(this.folder);
		this.screen.say(fresh ? `A new cluster; its data and logs are in ${folder}` : `Going on with the cluster in ${folder}`);
	}

	/** `failed`: a member did not come up, and it was said why. `stopped`: a stop was asked for meanwhile. */
	private async start(): Promise<"ready" | "failed" | "stopped"> {
		const startedMs = performance.now();
		const seconds = (): string => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
		this.watch.progress(seconds);
		const late = setTimeout(() => {
			const names = this.members.filter(({ state }) => state !== "serving").map(({ row }) => row.name);
			this.screen.say(`Still waiting for ${names.join(", ")}; the logs in ${this.show(this.folder)} tell more.`);
		}, PATIENCE_MS);
		const failures: string[] = [];
		const all = this.members.map(async (member) => {
			const failure = await member.start();
			if (failure !== null && !this.stopping.signal.aborted) failures.push(`${member.row.name} did not start: ${failure}`);
			else if (!this.screen.live && failure === null) this.screen.say(`${member.row.name} serves after ${seconds()}`);
			// The others would wait for it in vain if it was one of two.
			if (failure !== null) this.stopping.abort();
		});
		await Promise.race([Promise.all(all), aborted(this.stopping.signal)]);
		clearTimeout(late);
		this.watch.progress(null);
		if (!this.stopping.signal.aborted) this.screen.say(`Ready after ${seconds()}.`);
		for (const failure of failures) this.screen.say(failure);
		if (failures.length > 0) return "failed";
		return this.stopping.signal.aborted ? "stopped" : "ready";
	}

	private explain(): void {
		const { screen } = this;
		screen.say("");
		screen.say("Try next, in another terminal:");
		screen.say(`  export ETCDCTL_ENDPOINTS=${this.members.map(({ endpoint }) => endpoint).join(",")}`);
		screen.say("  etcdctl put greeting hello");
		screen.say("  etcdctl endpoint status -w table");
		screen.say("");
	}

	private async stop(): Promise<void> {
		this.watch.end();
		this.screen.close();
		const running = this.members.filter(({ state }) => state !== "down");
		if (running.length > 0) this.screen.say("Stopping ...");
		await Promise.all(this.members.map((member) => member.stop(STOP_MS)));
		this.screen.say(`Stopped. The data stays in ${this.show(this.folder)}; the next start goes on with it.`);
		this.restoreTerminal();
	}

	/** Keys and signals. A second wish to stop does not wait for anybody. */
	private listen(): void {
		const stop = (): void => {
			if (!this.stopping.signal.aborted) {
				this.stopping.abort();
				return;
			}
			for (const member of this.members) member.kill();
			this.restoreTerminal();
			process.exit(130);
		};
		for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
		// Nobody reads what is said: `npm start | head`, or a terminal that was closed.
		process.stdout.on("error", () => this.stopping.abort());
		const isAbandoned = watchStarters(process.env);
		setInterval(() => {
			if (isAbandoned()) this.stopping.abort();
		}, STARTERS_POLL_MS).unref();
		this.takeKeys(stop);
	}

	private takeKeys(stop: () => void): void {
		const { stdin } = process;
		// A terminal that belongs to another program must not be touched; a pipe may say the same letters.
		if (stdin.isTTY && !this.screen.live) return;
		if (stdin.isTTY) stdin.setRawMode(true);
		this.restoreTerminal = () => {
			if (stdin.isTTY) stdin.setRawMode(false);
			stdin.destroy();
		};
		stdin.on("error", () => {});
		stdin.on("data", (chunk: Buffer) => {
			for (const key of chunk.toString("latin1")) {
				if (key === "q" || key === CTRL_C || key === CTRL_D) stop();
				else if (key === "k") this.watch.killLeader();
				else if (key === "r") this.restartDead();
			}
		});
	}

	private restartDead(): void {
		const dead = this.members.filter(({ state }) => state === "down");
		if (dead.length === 0) this.screen.say("No member is down.");
		for (const member of dead) {
			this.screen.say(`Restarting ${member.row.name} from its data.`);
			void member.start().then((failure) => {
				if (failure !== null && !this.stopping.signal.aborted) this.screen.say(`${member.row.name} did not start: ${failure}`);
			});
		}
	}

	private show(path: string): string {
		const fromHere = relative(process.cwd(), path);
		return fromHere.startsWith("..") ? path : `./${fromHere}`;
	}
}

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";

function aborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		else signal.addEventListener("abort", () => resolve(), { once: true });
	});
}

if (import.meta.main) process.exit(await startLocal(process.argv.slice(2), process.env));
