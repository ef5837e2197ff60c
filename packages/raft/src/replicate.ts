import { assert, marks } from "@flotilla/base";
import { entryBytes } from "./entry-tail.ts";
import type { Entry, LogIndex, NodeId, Term } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { UNKNOWN_TERM } from "./term-runs.ts";

/**
 * Feeding the peers. All appends of a turn are made at its end, so that whatever was proposed, acknowledged and committed
 * meanwhile travels together.
 */
export function sendAppends(r: Raft): void {
	for (const slot of r.members.targets) {
		const peer = r.progress.get(slot);
		if (peer === null) continue;
		switch (peer.state) {
			case "replicate":
				stream(r, peer);
				break;
			case "probe":
				if (!peer.probeSent) probe(r, peer);
				break;
			case "snapshot":
				break;
		}
		peer.appendDue = false;
	}
}

/** Entries came back from the WAL, or none because it no longer holds them. */
export function onFetched(r: Raft, id: NodeId, entries: readonly Entry[]): void {
	r.fetching.delete(id);
	const peer = r.role === "leader" ? r.progress.get(r.members.slotOf(id)) : null;
	if (peer === null || peer.state === "snapshot") return;
	const first = entries[0];
	if (first === undefined) {
		marks.fetchedTooLate++;
		needSnapshot(r, peer);
		return;
	}
	// Either: the answer belongs to a question of an earlier state of this peer. It is dropped then and asked for again.
	if (first.index === peer.next) peer.fetched = entries;
	if (first.index !== peer.next - 1) return;
	peer.anchorIndex = first.index;
	peer.anchorTerm = first.term;
	peer.fetched = entries.slice(1);
}

/** The driver is done with a transfer, well or badly; also when it stays silent for too long. */
export function endSnapshot(peer: Progress, match: LogIndex, index: LogIndex): void {
	if (peer.state === "snapshot") peer.becomeProbe(Math.max(match, index) + 1, true);
}

/** As many appends as the window takes, one after the other, each anchored on what the one before it brought. */
function stream(r: Raft, peer: Progress): void {
	const { log } = r;
	while (peer.next <= log.lastIndex && !peer.inflights.full) {
		const entries = nextEntries(r, peer);
		if (entries === null) return;
		let bytes = 0;
		for (const entry of entries) bytes += entryBytes(entry);
		if (!sendAppend(r, peer, entries)) return;
		peer.next += entries.length;
		peer.inflights.add(peer.next - 1, bytes);
	}
	if (peer.appendDue && peer.inflights.full) marks.windowFull++;
	const news = peer.sentCommit < Math.min(log.commit, peer.next - 1);
	// An empty append also finds out that a whole window was lost: it will be refused.
	if (!(news || peer.appendDue) || sendAppend(r, peer, NO_ENTRIES)) return;
	// Where the anchor is no longer remembered, that question cannot be asked: begin anew at what is certain.
	if (peer.appendDue) peer.becomeProbe((r.progress.match[peer.slot] as number) + 1, false);
}

/** One append, possibly empty, then silence until the peer answers or the next heartbeat's answer shows it alive. */
function probe(r: Raft, peer: Progress): void {
	const entries = nextEntries(r, peer);
	if (entries === null || !sendAppend(r, peer, entries)) return;
	// Fetched entries are sent once; if this message is lost they are read again.
	peer.probeSent = true;
}

/** What comes next for a peer, from memory or as read back; null when it has to be read first, or is gone. */
function nextEntries(r: Raft, peer: Progress): readonly Entry[] | null {
	const { log } = r;
	if (anchorTerm(r, peer) === UNKNOWN_TERM) return readFrom(r, peer, peer.next - 1);
	if (peer.next > log.lastIndex) return NO_ENTRIES;
	if (peer.next >= log.memoryFrom) {
		return log.slice(peer.next, log.packUpto(peer.next, log.lastIndex, r.config.appendBytesMax));
	}
	if (peer.fetched[0]?.index === peer.next) return peer.fetched;
	return readFrom(r, peer, peer.next);
}

function readFrom(r: Raft, peer: Progress, fromIndex: LogIndex): null {
	const { log } = r;
	if (fromIndex < log.walFirst) {
		needSnapshot(r, peer);
		return null;
	}
	if (r.fetching.has(peer.id)) return null;
	assert(fromIndex < log.memoryFrom, "only what is not in memory is read back");
	marks.catchUpFromLog++;
	r.fetching.add(peer.id);
	r.output.fetch.push({ peer: peer.id, fromIndex, uptoIndex: log.memoryFrom - 1, bytesMax: r.config.appendBytesMax });
	if (peer.anchorIndex === 0) r.emit("catchUpFromLog", fromIndex, { peer: peer.id });
	return null;
}

function needSnapshot(r: Raft, peer: Progress): void {
	// Nothing is prepared for a peer that may be gone for good.
	if (!peer.recentActive) return;
	marks.catchUpBySnapshot++;
	peer.becomeSnapshot();
	// The state must also hold the configuration in force: the peer may be new in it.
	const minIndex = Math.max(r.log.firstIndex - 1, r.members.index);
	r.output.snapshots.push({ peer: peer.id, minIndex });
	r.emit("snapshotNeeded", minIndex, { peer: peer.id, match: r.progress.match[peer.slot] as number });
}

function anchorTerm(r: Raft, peer: Progress): Term {
	const term = r.log.termAt(peer.next - 1);
	return term === UNKNOWN_TERM && peer.anchorIndex === peer.next - 1 ? peer.anchorTerm : term;
}

/** False when the term before the entries has to be read first. */
function sendAppend(r: Raft, peer: Progress, entries: readonly Entry[]): boolean {
	const prevIndex = peer.next - 1;
	const prevTerm = anchorTerm(r, peer);
	if (prevTerm === UNKNOWN_TERM) return false;
	const { commit } = r.log;
	r.send({ kind: "append", from: r.id, to: peer.id, term: r.term, prevIndex, prevTerm, commit, entries });
	peer.sentCommit = Math.max(peer.sentCommit, Math.min(commit, prevIndex + entries.length));
	if (entries === peer.fetched && entries.length > 0) {
		const last = entries[entries.length - 1] as Entry;
		peer.anchorIndex = last.index;
		peer.anchorTerm = last.term;
		peer.fetched = NO_ENTRIES;
	}
	return true;
}

const NO_ENTRIES: readonly Entry[] = [];
