/** The member table: who belongs to the cluster, and who may never come back (etcd API, Cluster). */
import type { MembershipRequest, NodeId } from "@flotilla/raft";
import type { MemberInfo } from "./members.ts";

export class MemberTable {
	/** Ascending by id. Replaced whole at each change, so it may be handed out. */
	members: readonly MemberInfo[] = [];
	/** Removed for ever: an id is never used again. */
	readonly removed = new Set<NodeId>();

	get(id: NodeId): MemberInfo | undefined {
		return this.members.find((member) => member.id === id);
	}

	/** Every member has announced itself in some process life. */
	get allPublished(): boolean {
		return this.members.length > 0 && this.members.every((member) => member.name !== "");
	}

	set(member: MemberInfo): void {
		const others = this.members.filter((other) => other.id !== member.id);
		this.members = [...others, member].sort((a, b) => (a.id < b.id ? -1 : 1));
	}

	/** Null when there is no such member: it was removed meanwhile, and the announcement has no effect. */
	publish(id: NodeId, name: string, clientUrls: readonly string[], life: number): MemberInfo | null {
		const member = this.get(id);
		if (member === undefined) return null;
		const published = { ...member, name, clientUrls, life };
		this.set(published);
		return published;
	}

	/** One of these addresses is another member's. */
	isTaken(peerUrls: readonly string[], id: NodeId): boolean {
		return this.members.some((other) => other.id !== id && other.peerUrls.some((url) => peerUrls.includes(url)));
	}

	update(id: NodeId, peerUrls: readonly string[]): "ok" | "memberNotFound" | "peerUrlExists" {
		const member = this.get(id);
		if (member === undefined) return "memberNotFound";
		if (this.isTaken(peerUrls, id)) return "peerUrlExists";
		this.set({ ...member, peerUrls });
		return "ok";
	}

	/**
	 * A committed configuration entry never refuses: its request was checked by the leader that proposed it. `added`: what
	 * the entry carries of the members that are new.
	 */
	change(changes: MembershipRequest["changes"], added: readonly MemberInfo[]): void {
		for (const { op, node } of changes) {
			if (op === "remove") {
				this.members = this.members.filter((member) => member.id !== node);
				this.removed.add(node);
				continue;
			}
			const attributes = this.get(node) ?? added.find((member) => member.id === node) ?? unnamed(node);
			this.set({ ...attributes, learner: op === "addLearner" });
		}
	}
}

function unnamed(id: NodeId): MemberInfo {
	return { id, name: "", peerUrls: [], clientUrls: [], learner: false };
}
