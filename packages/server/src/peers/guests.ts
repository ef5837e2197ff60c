import type { ByteOps } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { LiveTls } from "../tls/live-tls.ts";
import { askForView, type ClusterView } from "./cluster-view.ts";

/** Known by hearsay at a time. A cluster adds its members one by one, so there are few of them. */
const GUESTS_MAX = 16;

type Known = ClusterView["members"][number];

/**
 * Members that this one does not know because it missed the change that added them. One of them may lead by now, and then
 * nobody else will ever tell: so when a stranger dials, the members that are known are asked for their list, one question at a
 * time, and whom they name is let in. When none of them is there to be asked, the stranger itself is: two of three must be able to
 * elect when the third, the only one that knows both, is gone.
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
		tls: LiveTls | null,
		ask: (url: string) => Promise<ClusterView | null> = (url) => askForView(url, bytes, tls),
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

	/** A stranger with this id, which names these URLs as its own, has dialed. It will dial again. */
	stranger({ id, peerUrls }: Pick<Known, "id" | "peerUrls">, members: readonly Pick<Known, "peerUrls">[]): void {
		if (this.asking || this.ids.size >= GUESTS_MAX) return;
		this.asking = true;
		void this.search(id, members, peerUrls).then((known) => {
			this.asking = false;
			if (known === null) return;
			this.ids.add(id);
			this.found(id, known.peerUrls);
		});
	}

	private async search(id: NodeId, members: readonly Pick<Known, "peerUrls">[], own: readonly string[]): Promise<Known | null> {
		let answered = false;
		for (const url of members.flatMap(({ peerUrls }) => peerUrls)) {
			const view = await this.viewAt(url);
			const known = view?.find((member) => member.id === id);
			if (known !== undefined) return known;
			answered ||= view !== null;
		}
		for (const url of answered ? [] : own) {
			const known = (await this.viewAt(url))?.find((member) => member.id === id);
			if (known !== undefined) return known;
		}
		return null;
	}

	private async viewAt(url: string): Promise<ClusterView["members"] | null> {
		const view = await this.ask(url);
		return view?.clusterId === this.clusterId ? view.members : null;
	}
}
