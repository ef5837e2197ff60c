/**
 * Containers of the image of the working tree, by Docker's own command line: clients come by a port of this machine, members meet
 * on a network of their own that a container can be taken off. The data lies in a folder of this machine.
 */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { freePorts } from "@flotilla/server/internal";
import { MemberProcess, type ProcessSpec } from "../../process/member-process.ts";
import { runTool } from "../../process/tools.ts";
import type { DeadMan } from "../dead-man-control.ts";
import type { LinkState } from "../links.ts";
import type { Direction, LinkHand, Place, Site } from "./place.ts";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const IMAGE = "flotilla:chaos";
const BUILD_MS = 300_000;
const FOLDER = "/var/lib/flotilla";

export class Containers implements Place {
	readonly sites: readonly Site[];
	readonly links: LinkHand;
	private readonly names: readonly string[];
	private readonly network: string;
	private readonly deadMan: DeadMan;

	private constructor(names: readonly string[], ports: readonly number[], network: string, deadMan: DeadMan) {
		this.names = names;
		this.network = network;
		this.deadMan = deadMan;
		this.sites = names.map((name, at) => ({
			address: `127.0.0.1:${ports[at]}`,
			listenClientUrl: "http://0.0.0.0:2379",
			listenPeerUrl: "http://0.0.0.0:2380",
			peerUrl: `http://${name}:2380`,
			folderInside: FOLDER,
			doors: [{ host: "127.0.0.1", port: ports[at] as number }],
		}));
		this.links = new NetworkCord(network, (name) => this.containerOf(name));
	}

	/** Builds the image first: what is tested is what stands here. */
	static async start(names: readonly string[], deadMan: DeadMan): Promise<Containers> {
		const build = ["run", "--silent", "--prefix", ROOT, "image", "--", IMAGE, "--local"];
		// With everything that the caller has set: where packages are kept is part of it.
		const environment = Object.fromEntries(
			Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
		);
		const { status, stdout, stderr } = await runTool("npm", build, { environment, timeoutMs: BUILD_MS });
		if (status !== 0) throw new Error(`The image cannot be built:\n${`${stdout}${stderr}`.trim().split("\n").slice(-10).join("\n")}`);
		const network = `flotilla-chaos-${randomInt(0x1000, 0x10000).toString(16)}`;
		const place = new Containers(names, await freePorts(names.length), network, deadMan);
		deadMan.undo(network, withoutNetwork(network));
		await docker("network", "create", network);
		return place;
	}

	process(site: Site, spec: ProcessSpec, dataDir: string): MemberProcess {
		const name = this.names[this.sites.indexOf(site)] as string;
		const container = this.containerOf(name);
		const port = site.doors[0]?.port;
		const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
		const create = [
			...["docker", "create", "--rm", "--name", container, "--hostname", name, "--user", user, "-e", "ETCD_GRPC_SERVER"],
			...["-p", `127.0.0.1:${port}:2379`, "-v", `${dataDir}:${FOLDER}`, IMAGE, ...spec.args],
		];
		// On both networks before it starts: a member that joins asks the others with its first breath.
		const script = [
			`mkdir -p ${quoted(dataDir)} && ${create.map(quoted).join(" ")} >/dev/null`,
			`docker network connect --alias ${quoted(name)} ${quoted(this.network)} ${quoted(container)}`,
			`exec docker start --attach ${quoted(container)}`,
		];
		this.deadMan.undo(container, ["docker", "rm", "--force", container]);
		return new ContainerProcess({ ...spec, program: "sh", args: ["-c", script.join(" && ")] }, container);
	}

	async close(): Promise<void> {
		for (const name of this.names) {
			const container = this.containerOf(name);
			await runTool("docker", ["rm", "--force", container]);
			this.deadMan.done(container);
		}
		const [program, ...args] = withoutNetwork(this.network);
		const { status, stderr } = await runTool(program, args);
		if (status !== 0) throw new Error(`The network ${this.network} cannot be removed: ${stderr.trim()}`);
		this.deadMan.done(this.network);
	}

	private containerOf(name: string): string {
		return `${this.network}-${name}`;
	}
}

/** The process at hand is the one that shows the container's output; signals go to the container. */
class ContainerProcess extends MemberProcess {
	private readonly container: string;

	constructor(spec: ProcessSpec, container: string) {
		super(spec);
		this.container = container;
	}

	override async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | string> {
		if (!this.running) return this.exited();
		await runTool("docker", ["kill", "--signal", signal, this.container]);
		return signal === "SIGSTOP" || signal === "SIGCONT" ? signal : this.exited();
	}

	override async dispose(): Promise<void> {
		await runTool("docker", ["rm", "--force", this.container]);
		await super.dispose();
	}
}

/** One container at a time is taken off the network and put back. */
class NetworkCord implements LinkHand {
	private readonly network: string;
	private readonly containerOf: (name: string) => string;
	private readonly off = new Set<string>();

	constructor(network: string, containerOf: (name: string) => string) {
		this.network = network;
		this.containerOf = containerOf;
	}

	/** Names tell who is who. */
	identify(): Promise<void> {
		return Promise.resolve();
	}

	async set(directions: readonly Direction[], { held }: Partial<LinkState>): Promise<void> {
		const name = aloneIn(directions);
		if (name === null) throw new Error("a container can only be taken off the network alone, in both directions");
		if (held === true && !this.off.has(name)) {
			this.off.add(name);
			const cut = ["network", "disconnect", "--force", this.network, this.containerOf(name)];
			const { status, stderr } = await runTool("docker", cut, { timeoutMs: 60_000 });
			// One that has just ended is off the network like nobody else.
			if (status !== 0 && !/No such container|is not connected/.test(stderr)) throw new Error(`docker ${cut.join(" ")}: ${stderr.trim()}`);
		} else if (held === false) await this.connect(name);
	}

	reset(): Promise<void> {
		return Promise.reject(new Error("connections of containers cannot be reset"));
	}

	async heal(): Promise<void> {
		for (const name of [...this.off]) await this.connect(name);
	}

	private async connect(name: string): Promise<void> {
		if (!this.off.delete(name)) return;
		// One that ended meanwhile was removed; its successor is connected when it is made.
		await runTool("docker", ["network", "connect", "--alias", name, this.network, this.containerOf(name)]);
	}
}

/** The one member that all of these directions come from or lead to, there and back. */
export function aloneIn(directions: readonly Direction[]): string | null {
	const [first] = directions;
	const name = first?.find((one) => directions.every((direction) => direction.includes(one)));
	if (name === undefined) return null;
	const out = directions.filter(([from]) => from === name).length;
	return out * 2 === directions.length ? name : null;
}

/**
 * The command that removes a network, if there is one. What Docker still counts as connected is taken off first: a container that was
 * removed while it was being put on the network stays in the network's list, and would hold it for good.
 */
function withoutNetwork(network: string): [program: string, ...args: string[]] {
	const listed = `docker network inspect --format '{{range $id, $_ := .Containers}}{{.Name}} {{end}}' ${network} 2>/dev/null`;
	const cut = `for name in $(${listed}); do docker network disconnect --force ${network} "$name"; done`;
	return ["sh", "-c", `${cut}; docker network rm --force ${network}`];
}

function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

async function docker(...args: string[]): Promise<void> {
	const { status, stderr } = await runTool("docker", args, { timeoutMs: 60_000 });
	if (status !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr.trim()}`);
}
