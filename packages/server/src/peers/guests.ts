import type { ByteOps } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { askForView, type ClusterView } from "./cluster-view.ts";

/** Known by hearsay at a time. A cluster adds its members one by one, so there are few of them. */
const GUESTS_MAX = 16;

type Known = ClusterView["members"][number];

/**
 * Members that this one does not know because it missed the change that added them. One of them may lead by now, and then
 * nobody else will ever tell: so when a stranger dials, the members that are known are asked for their list, one question at a
 * time, and whom they name is let in.
 */
export class Guests {
	private readonly clusterId: bigint;
	private readonly ask: (url: string) => Promise<ClusterView | null>;
	private readonly found: (id: NodeId, urls: readonly string[]) => void;
	private readonly ids = new Set<NodeId>();
	private asking = false;

	constructor(
		clusterId: bigint,
		bytes: ByteOps,
		found: (id: NodeId, urls: readonly string[]) => void,
		ask: (url: string) => Promise<ClusterView | null> = (url) => askForView(url, bytes),
	) {
		this.clusterId = clusterId;
		this.found = found;
		this.ask = ask;
	}

	has(id: NodeId): boolean {
		return this.ids.has(id);
	}

	/** It is a member like any other by now, or was removed. */
	forget(id: NodeId): void {
		this.ids.delete(id);
	}

	/** A stranger with this id has dialed. It will dial again. */
	stranger(id: NodeId, members: readonly Pick<Known, "peerUrls">[]): void {
		if (this.asking || this.ids.size >= GUESTS_MAX) return;
		this.asking = true;
		void this.search(id, members).then((known) => {
			this.asking = false;
			if (known === null) return;
			this.ids.add(id);
			this.found(id, known.peerUrls);
		});
	}

	private async search(id: NodeId, members: readonly Pick<Known, "peerUrls">[]): Promise<Known | null> {
		for (const url of members.flatMap(({ peerUrls }) => peerUrls)) {
			const view = await this.ask(url);
			const known = view?.clusterId === this.clusterId ? view.members.find((member) => member.id === id) : undefined;
			if (known !== undefined) return known;
		}
		return null;
	}
}
