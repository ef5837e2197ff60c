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
	const message = protocol().lookupType(type);
	return Buffer.from(message.encode(message.fromObject(value)).finish());
}

export function decodeMessage<T = Plain>(type: string, bytes: Uint8Array): T {
	const message = protocol().lookupType(type);
	return message.toObject(message.decode(bytes), { longs: String, enums: String, defaults: true, arrays: true }) as T;
}
