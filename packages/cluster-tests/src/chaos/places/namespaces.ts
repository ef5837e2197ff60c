/**
 * Hosts of the tool's own: a network namespace for each member and one more for the switch between them, so that no rule of this
 * machine's own network takes part. Packets are dropped by iptables in the receiver's namespace. Needs root.
 */
import { randomInt } from "node:crypto";
import { MemberProcess, type ProcessSpec } from "../../process/member-process.ts";
import { runTool } from "../../process/tools.ts";
import { pause } from "../../process/wait.ts";
import type { DeadMan } from "../dead-man-control.ts";
import { type LinkState, WHOLE } from "../links.ts";
import type { Direction, LinkHand, Place, Site } from "./place.ts";

const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
/** Private networks, of which one is taken that this machine has no way to of its own. */
const NETWORKS = ["10.77", "172.30", "192.168"];
const TRIES_MAX = 30;
/** Long enough for a heartbeat of either side to be answered with a reset. */
const RESET_MS = 300;

interface Host {
	readonly name: string;
	readonly namespace: string;
	readonly ip: string;
}

export class Namespaces implements Place {
	readonly sites: readonly Site[];
	readonly links: LinkHand;
	private readonly hosts: readonly Host[];
	private readonly deadMan: DeadMan;
	private readonly made: string[];

	private constructor(hosts: readonly Host[], made: string[], deadMan: DeadMan) {
		this.hosts = hosts;
		this.made = made;
		this.deadMan = deadMan;
		this.links = new PacketRules(hosts);
		this.sites = hosts.map(({ ip }) => ({
			address: `${ip}:${CLIENT_PORT}`,
			listenClientUrl: `http://${ip}:${CLIENT_PORT}`,
			listenPeerUrl: `http://${ip}:${PEER_PORT}`,
			peerUrl: `http://${ip}:${PEER_PORT}`,
			folderInside: null,
			doors: [CLIENT_PORT, PEER_PORT].map((port) => ({ host: ip, port })),
		}));
	}

	static async start(names: readonly string[], deadMan: DeadMan): Promise<Namespaces> {
		const prefix = `fl${randomInt(0x1000, 0x10000).toString(16)}`;
		const network = await freeNetwork();
		const hosts = names.map((name, at) => ({ name, namespace: `${prefix}-${name}`, ip: `${network}.${at + 1}` }));
		const made: string[] = [];
		const place = new Namespaces(hosts, made, deadMan);
		try {
			await place.build(prefix, `${network}.254`);
		} catch (error) {
			await place.close();
			throw error;
		}
		return place;
	}

	process(site: Site, spec: ProcessSpec): MemberProcess {
		const { namespace } = this.hosts[this.sites.indexOf(site)] as Host;
		// It replaces itself by the program, so signals reach the member.
		return new MemberProcess({ ...spec, program: "ip", args: ["netns", "exec", namespace, spec.program, ...spec.args] });
	}

	async close(): Promise<void> {
		for (const namespace of this.made.splice(0).reverse()) {
			await runTool("ip", ["netns", "delete", namespace]);
			this.deadMan.done(namespace);
		}
	}

	private async build(prefix: string, testerIp: string): Promise<void> {
		const net = `${prefix}-net`;
		await this.add(net);
		await ip("-n", net, "link", "add", "switch", "type", "bridge");
		await ip("-n", net, "link", "set", "switch", "up");
		// Either end of a pair goes with the other: nothing of this machine is left when the switch is gone.
		await ip("link", "add", `${prefix}t`, "type", "veth", "peer", "name", "tester", "netns", net);
		await ip("-n", net, "link", "set", "tester", "master", "switch", "up");
		await ip("addr", "add", `${testerIp}/24`, "dev", `${prefix}t`);
		await ip("link", "set", `${prefix}t`, "up");
		for (const { name, namespace, ip: own } of this.hosts) {
			await this.add(namespace);
			await ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", net);
			await ip("-n", net, "link", "set", name, "master", "switch", "up");
			await ip("-n", namespace, "addr", "add", `${own}/24`, "dev", "eth0");
			await ip("-n", namespace, "link", "set", "lo", "up");
			await ip("-n", namespace, "link", "set", "eth0", "up");
		}
	}

	private async add(namespace: string): Promise<void> {
		this.deadMan.undo(namespace, ["ip", "netns", "delete", namespace]);
		this.made.push(namespace);
		await ip("netns", "add", namespace);
	}
}

/** The rules of each receiver, written as a whole whenever one of them changes. */
class PacketRules implements LinkHand {
	private readonly hosts: readonly Host[];
	private readonly states = new Map<string, LinkState>();
	/** One after the other, so that an older table never comes behind a newer one. */
	private writing: Promise<void> = Promise.resolve();

	constructor(hosts: readonly Host[]) {
		this.hosts = hosts;
	}

	/** Addresses tell who sends. */
	identify(): Promise<void> {
		return Promise.resolve();
	}

	async set(directions: readonly Direction[], state: Partial<LinkState>): Promise<void> {
		for (const direction of directions) {
			const name = direction.join(">");
			this.states.set(name, { ...(this.states.get(name) ?? WHOLE), ...state });
		}
		await this.write(new Set(directions.map(([, to]) => to)));
	}

	async reset(a: string, b: string): Promise<void> {
		const both: Direction[] = [
			[a, b],
			[b, a],
		];
		await this.set(both, { refused: true });
		await pause(RESET_MS);
		await this.set(both, { refused: false });
	}

	async heal(): Promise<void> {
		const receivers = new Set([...this.states.keys()].map((name) => name.split(">")[1] as string));
		this.states.clear();
		await this.write(receivers);
	}

	private write(receivers: ReadonlySet<string>): Promise<void> {
		const touched = this.hosts.filter(({ name }) => receivers.has(name));
		const written = this.writing.then(async () => {
			await Promise.all(touched.map((host) => tool("ip", ["netns", "exec", host.namespace, "iptables-restore", "-w"], this.rulesOf(host))));
		});
		this.writing = written.catch(() => {});
		return written;
	}

	private rulesOf(to: Host): string {
		const rules = this.hosts.flatMap((from) => {
			const state = this.states.get(`${from.name}>${to.name}`);
			return state === undefined ? [] : packetRules(from.ip, state);
		});
		return ["*filter", ":INPUT ACCEPT [0:0]", ...rules, "COMMIT", ""].join("\n");
	}
}

/** What becomes of packets from this address. */
export function packetRules(fromIp: string, { held, refused, lossPerMille }: LinkState): string[] {
	const rules: string[] = [];
	if (refused) rules.push(`-A INPUT -s ${fromIp} -p tcp -j REJECT --reject-with tcp-reset`);
	if (held) rules.push(`-A INPUT -s ${fromIp} -j DROP`);
	if (lossPerMille > 0) {
		rules.push(`-A INPUT -s ${fromIp} -m statistic --mode random --probability ${(lossPerMille / 1_000).toFixed(3)} -j DROP`);
	}
	return rules;
}

/** The first three numbers of addresses that lead nowhere yet but to the default route, if anywhere. */
async function freeNetwork(): Promise<string> {
	for (let tries = 0; tries < TRIES_MAX; tries++) {
		const network = `${NETWORKS[tries % NETWORKS.length]}.${randomInt(2, 250)}`;
		const { status, stdout } = await runTool("ip", ["-4", "route", "get", `${network}.1`]);
		if (status !== 0 || / via /.test(stdout)) return network;
	}
	throw new Error("no free network for the members' hosts");
}

function ip(...args: string[]): Promise<void> {
	return tool("ip", args);
}

async function tool(program: string, args: readonly string[], input = ""): Promise<void> {
	const { status, stderr } = await runTool(program, args, { input });
	if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
}
