/** Processes of this machine that reach each other through proxies, one in front of each peer port. Needs no root. */

import { freePorts } from "@flotilla/server/internal";
import { MemberProcess, type ProcessSpec } from "../../process/member-process.ts";
import type { DeadMan } from "../dead-man-control.ts";
import { LinkControl } from "../link-control.ts";
import type { Direction, LinkHand, Place, Site } from "./place.ts";

const HOST = "127.0.0.1";

export class Loopback implements Place {
	readonly sites: readonly Site[];
	readonly links: LinkHand;
	private readonly control: LinkControl;

	private constructor(sites: readonly Site[], control: LinkControl) {
		this.sites = sites;
		this.control = control;
		this.links = {
			identify: (id, name) => control.identify(id, name),
			set: async (directions: readonly Direction[], state) => {
				await Promise.all(directions.map(([from, to]) => control.set(from, to, state)));
			},
			reset: (a, b) => control.reset(a, b),
			heal: () => control.heal(),
		};
	}

	static async start(names: readonly string[], seed: string, deadMan: DeadMan): Promise<Loopback> {
		const control = new LinkControl(seed);
		deadMan.watch(control.pid);
		const ports = await freePorts(3 * names.length);
		const sites: Site[] = [];
		for (const [at, name] of names.entries()) {
			const [client, peer, proxy] = ports.slice(3 * at, 3 * at + 3) as [number, number, number];
			await control.add({ name, targetPort: peer, listenPort: proxy });
			sites.push({
				address: `${HOST}:${client}`,
				listenClientUrl: `http://${HOST}:${client}`,
				listenPeerUrl: `http://${HOST}:${peer}`,
				peerUrl: `http://${HOST}:${proxy}`,
				folderInside: null,
				doors: [client, peer].map((port) => ({ host: HOST, port })),
			});
		}
		return new Loopback(sites, control);
	}

	process(_site: Site, spec: ProcessSpec): MemberProcess {
		return new MemberProcess(spec);
	}

	close(): Promise<void> {
		return this.control.close();
	}
}
