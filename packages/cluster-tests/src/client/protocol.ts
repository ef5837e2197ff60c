/**
 * The protocol as an outsider reads it: the .proto files through protobufjs reflection, not the product's own codecs, so that
 * a mistake in those shows.
 */
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const folder = fileURLToPath(new URL("../../../api/proto/", import.meta.url));

let loaded: protobuf.Root | null = null;

export function protocol(): protobuf.Root {
	if (loaded === null) {
		const root = new protobuf.Root();
		root.resolvePath = (_origin, target) => folder + (target.split("/").pop() ?? target);
		root.loadSync(["rpc.proto", "kv.proto", "auth.proto", "v3lock.proto", "v3election.proto", "health.proto"], { keepCase: true });
		root.resolveAll();
		loaded = root;
	}
	return loaded;
}

/** Plain values: 64-bit integers are decimal strings on the way out, bytes are Buffers, defaults are filled in. */
export type Plain = Record<string, unknown>;

export function encodeMessage(type: string, value: Plain): Buffer {
	const message = typeOf(type);
	return message.encode(message.fromObject(value)).finish() as Buffer;
}

export function decodeMessage<T = Plain>(type: string, bytes: Uint8Array): T {
	const message = typeOf(type);
	return message.toObject(message.decode(bytes), { longs: String, enums: String, defaults: true, arrays: true }) as T;
}

/** A 64-bit integer as `decodeFields` gives it. */
export type WireInteger = number | { readonly low: number; readonly high: number };

/**
 * The same fields read for less: 64-bit integers are pairs of halves (`numberOf`), enums numbers, and a field that is absent is
 * told by its default. For histories, where millions of answers are read.
 */
export function decodeFields<T>(type: string, bytes: Uint8Array): T {
	return typeOf(type).decode(bytes) as unknown as T;
}

/** Signed; exact within the safe integers. */
export function numberOf(value: WireInteger): number {
	return typeof value === "number" ? value : value.high * 0x1_0000_0000 + (value.low >>> 0);
}

/** One character a byte. An absent field may be any empty list. */
export function latin1Of(bytes: Uint8Array): string {
	return bytes.length === 0 ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

const types = new Map<string, protobuf.Type>();

function typeOf(name: string): protobuf.Type {
	let type = types.get(name);
	if (type === undefined) {
		type = protocol().lookupType(name);
		types.set(name, type);
	}
	return type;
}
