import { WireReader } from "@flotilla/base";
import { decodeKeyValue } from "../../src/index.ts";
import { text } from "../requests.ts";
import type { NaiveEvent, NaivePair } from "./naive-history.ts";

/** An encoded mvccpb.Event in the naive history's words. */
export function decodeEvent(bytes: Uint8Array): NaiveEvent {
	const reader = new WireReader(bytes);
	let type: "put" | "delete" = "put";
	let kv = new Uint8Array();
	let previous: NaivePair | null = null;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x08) type = reader.int32() === 1 ? "delete" : "put";
		else if (tag === 0x12) kv = Uint8Array.from(reader.view());
		else if (tag === 0x1a) previous = pairOf(reader.view());
		else throw new Error(`an event has no field ${tag}`);
	}
	const pair = pairOf(kv);
	if (type === "delete" && pair.create + pair.version > 0) throw new Error("a deletion shows key and revision alone");
	return { type, key: pair.key, revision: pair.mod, pair: type === "put" ? pair : null, previous };
}

function pairOf(bytes: Uint8Array): NaivePair {
	const { key, value, createRevision, modRevision, version } = decodeKeyValue(bytes);
	return { key: text(key), value: text(value), create: createRevision, mod: modRevision, version };
}
