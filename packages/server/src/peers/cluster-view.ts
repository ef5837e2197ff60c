/**
 * Who belongs to a cluster, asked at the peer port of any of its members: a member that joins learns its own id so. The
 * question is a hello for a lane of its own number, the answer a frame behind the usual one.
 */
import type { ByteOps } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { LiveTls } from "../tls/live-tls.ts";
import { dialPeer } from "./dial.ts";
import { encodeFrameHead, type Frame, FrameDecoder } from "./frame.ts";
import { decodeAnswer, encodeHello, HandshakeReader, PROTOCOL_VERSION } from "./hello.ts";
import type { Lane } from "./lane.ts";
import { parsePeerUrl } from "./peer-address.ts";
import { decodeTuple, encodeTuple } from "./tuple.ts";

/** In the place of a lane. On the wire. */
export const VIEW_LANE = 16;

export interface ClusterView {
	readonly clusterId: bigint;
	readonly members: ReadonlyArray<{ readonly id: NodeId; readonly name: string; readonly peerUrls: readonly string[] }>;
}

/** More is no member list. */
const VIEW_BYTES_MAX = 1 << 20;
/** Of silence, and of all of it: whom a stranger names could answer byte by byte, and keep this member from asking anybody else. */
const SILENCE_MS = 2_000;
const TIMEOUT_MS = 4_000;

/** As many as fit into a frame of texts: far more members than any cluster has. */
export function encodeView(bytes: ByteOps, { clusterId, members }: ClusterView): Uint8Array {
	const texts = members.map(({ id, name, peerUrls }) => [id.toString(16), name, ...peerUrls].join("\n"));
	return encodeFrameHead(bytes, encodeTuple([clusterId.toString(16), ...texts]), 0, 0);
}

export function decodeView({ envelope }: Frame): ClusterView | null {
	const tuple = decodeTuple(envelope);
	if (tuple === null || !tuple.every((value) => typeof value === "string")) return null;
	const [cluster = "", ...texts] = tuple as readonly string[];
	const members = texts.map((text) => {
		const [id = "", name = "", ...peerUrls] = text.split("\n");
		return { id, name, peerUrls };
	});
	if (![cluster, ...members.map(({ id }) => id)].every((id) => /^[0-9a-f]{1,16}$/.test(id))) return null;
	return { clusterId: BigInt(`0x${cluster}`), members: members.map((member) => ({ ...member, id: BigInt(`0x${member.id}`) })) };
}

/** Null when nobody there says. */
export function askForView(url: string, bytes: ByteOps, tls: LiveTls | null = null): Promise<ClusterView | null> {
	const target = parsePeerUrl(url);
	if (target === null) return Promise.resolve(null);
	return new Promise((resolve) => {
		const hello = {
			versionMin: PROTOCOL_VERSION,
			versionMax: PROTOCOL_VERSION,
			clusterId: 0n,
			from: 0n,
			to: 0n,
			incarnation: 0,
			peerUrls: [],
		};
		const socket = dialPeer(target, tls, (ready) => ready.write(encodeHello(bytes, { ...hello, lane: VIEW_LANE as Lane })));
		const reader = new HandshakeReader(bytes);
		const decoder = new FrameDecoder(bytes, VIEW_BYTES_MAX);
		let answered = false;
		const end = (view: ClusterView | null): void => {
			clearTimeout(timer);
			socket.destroy();
			resolve(view);
		};
		const timer = setTimeout(() => end(null), TIMEOUT_MS);
		const takeFrames = (chunk: Uint8Array): void => {
			const frames: Frame[] = [];
			const fault = decoder.feed(chunk, frames);
			if (frames[0] !== undefined) end(decodeView(frames[0]));
			else if (fault !== null) end(null);
		};
		socket.setTimeout(SILENCE_MS, () => end(null));
		socket.on("error", () => end(null));
		socket.on("close", () => end(null));
		socket.on("data", (chunk: Uint8Array) => {
			if (answered) {
				takeFrames(chunk);
				return;
			}
			const progress = reader.feed(chunk);
			if (progress.state === "more") return;
			answered = progress.state === "done" && decodeAnswer(progress.message)?.code === "accepted";
			if (!answered || progress.state !== "done") end(null);
			else if (progress.rest.length > 0) takeFrames(progress.rest);
		});
	});
}
