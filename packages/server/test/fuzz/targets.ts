/** What is fuzzed: each target takes one random input a call and throws when it does what it must not. All of it follows from the dice. */
import { gzipSync } from "node:zlib";
import { createHotCodec, decodeKeyValue, decodeKeyValueEvent } from "@flotilla/api";
import { assert, type Dice, portableBytes, WireError } from "@flotilla/base";
import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { HeldBytes } from "../../src/front/held-bytes.ts";
import { FramingFault, MessageReader } from "../../src/front/message-reader.ts";
import { inflate } from "../../src/front/native/inflate.ts";
import { HpackDecoder } from "../../src/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../src/http2/hpack-encoder.ts";
import { huffmanBytes, huffmanDecode, huffmanEncode } from "../../src/http2/huffman.ts";
import { ConnectionFault, Flag, FrameType } from "../../src/http2/protocol.ts";
import { End, frame, OPENING, REQUEST } from "../http2/two-ends.ts";
import { inPieces, mutate } from "./mutate.ts";
import { nativeConnection } from "./native-connection.ts";

export type Target = (dice: Dice) => () => void | Promise<void>;

const BLOCKS = [
	REQUEST,
	"88",
	"400a637573746f6d2d6b65790d637573746f6d2d686561646572",
	"be",
	"828684418cf1e3c2e5f23a6ba0ab90f4ff",
	"3fe11f203f6182",
	"0f1003616263be",
	"7fa11f",
].map((hex) => Buffer.from(hex, "hex"));

/** One connection a session: sound frames, then changed ones. It must end or go on, say little, and hold little. */
const connections: Target = (dice) => {
	const sound = [
		frame(FrameType.headers, Flag.endHeaders, 1, REQUEST),
		frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 3, REQUEST),
		frame(FrameType.headers, 0, 5, REQUEST),
		frame(FrameType.continuation, Flag.endHeaders, 5, "be"),
		frame(FrameType.headers, 0x2c, 7, `02800000030f${REQUEST}0000`),
		frame(FrameType.data, 0, 1, "00000000050102030405"),
		frame(FrameType.data, Flag.endStream | Flag.padded, 1, "0300000000010a000000"),
		frame(FrameType.priority, 0, 1, "0000000110"),
		frame(FrameType.rstStream, 0, 1, "00000008"),
		frame(FrameType.settings, 0, 0, "000100000000000400000100000500010000"),
		frame(FrameType.settings, 1, 0),
		frame(FrameType.ping, 0, 0, "0102030405060708"),
		frame(FrameType.goaway, 0, 0, "0000000000000000"),
		frame(FrameType.windowUpdate, 0, 0, "00010000"),
		frame(FrameType.windowUpdate, 0, 1, "00000001"),
		frame(0x77, 0xff, 9, "00"),
	];
	return () => {
		const server = new End("server", { headerBlockBytesMax: 1_000 });
		server.connection.receive(OPENING);
		const session: Buffer[] = [];
		for (let frames = dice.range(1, 6); frames > 0; frames--) session.push(dice.chance(1, 2) ? dice.pick(sound) : mutate(dice, sound));
		for (const piece of inPieces(dice, Buffer.concat(session))) {
			server.connection.receive(piece);
			for (const stream of server.streams.splice(0)) {
				if (dice.chance(1, 2)) server.connection.sendHeaders(stream, [{ name: ":status", value: "200", repeats: true }], dice.chance(1, 3));
				if (dice.chance(1, 2)) server.connection.sendMessage(stream, new Uint8Array(dice.range(0, 200)), dice.chance(1, 2));
				else if (!stream.ends) server.streams.push(stream);
				if (server.streams.length > 20) break;
			}
		}
		const { connection } = server;
		assert(server.take().length < 10_000, "a few frames are answered by little");
		assert(connection.over === server.isEnded, "who is over has said so");
		assert(!connection.over || connection.streams.size === 0, "a connection that is over has no streams");
		assert(connection.queuedBytes >= 0, "what waits is counted");
		connection.abort();
		assert(connection.streams.size === 0 && connection.queuedBytes === 0, "nothing stays behind");
	};
};

/** Blocks that are none, on decoders that live for a while. */
const headerBlocks: Target = (dice) => {
	const limits = { listBytesMax: 2_000, fieldsMax: 20 };
	let decoder = new HpackDecoder(limits);
	return () => {
		if (dice.chance(1, 50)) decoder = new HpackDecoder(limits);
		const bytes = mutate(dice, BLOCKS);
		try {
			const block = decoder.decode(bytes, 0, bytes.length);
			assert(block.names.length === block.values.length && block.names.length <= 20, "fields are bounded");
			void block.requestHead;
		} catch (error) {
			if (!(error instanceof ConnectionFault)) throw error;
			decoder = new HpackDecoder(limits);
		}
	};
};

/** What one half writes the other reads, whatever happens to the table; Huffman code of anything, and anything as Huffman code. */
const headerPairs: Target = (dice) => {
	let encoder = new HpackEncoder();
	let decoder = new HpackDecoder({ listBytesMax: 1e6, fieldsMax: 100 });
	const text = (): string => Buffer.from(Array.from({ length: dice.range(0, 20) }, () => dice.range(0, 255))).toString("latin1");
	return () => {
		if (dice.chance(1, 200)) {
			encoder = new HpackEncoder();
			decoder = new HpackDecoder({ listBytesMax: 1e6, fieldsMax: 100 });
		}
		if (dice.chance(1, 30)) encoder.setLimit(dice.range(0, 300));
		const fields = Array.from({ length: dice.range(0, 4) }, () => ({
			name: `n${dice.range(0, 20)}`,
			value: dice.chance(1, 2) ? String(dice.range(0, 3)) : text(),
			repeats: dice.chance(1, 2),
		}));
		const bytes = Buffer.from(encoder.encode(fields));
		const { names, values } = decoder.decode(bytes, 0, bytes.length);
		for (const [at, { name, value }] of fields.entries())
			assert(names[at] === name && values[at] === value, "a field comes out as it went in");
		const random = Buffer.from(text(), "latin1");
		try {
			const decoded = huffmanDecode(random, 0, random.length);
			const again = Buffer.alloc(huffmanBytes(decoded));
			huffmanEncode(decoded, again, 0);
			assert(again.equals(random), "a text has one Huffman code");
		} catch (error) {
			if (!(error instanceof ConnectionFault)) throw error;
		}
	};
};

/** Messages cut anywhere. Whatever happens, nothing is held afterwards. */
const messages: Target = (dice) => {
	const held = new HeldBytes({
		...DEFAULT_GRPC_OPTIONS,
		unfinishedBytesPaused: 300,
		unfinishedBytesPerConnectionMax: 600,
		unfinishedBytesMax: 1_000,
	});
	const connection = held.connect(() => {});
	const sound = [
		Buffer.from("0000000000", "hex"),
		Buffer.from("00000000030a0161", "hex"),
		Buffer.from("01000000020a00", "hex"),
		Buffer.concat([Buffer.from("00000000c8", "hex"), Buffer.alloc(200, 1)]),
	];
	return () => {
		let abandoned = false;
		const reader = new MessageReader(
			connection,
			{ wantsMore: true, pause: () => {}, resume: () => {} },
			{
				messageBytesMax: 250,
				encoded: dice.chance(1, 2),
				single: dice.chance(1, 2),
				abandon: () => {
					abandoned = true;
				},
			},
		);
		const input = Buffer.concat(Array.from({ length: dice.range(1, 4) }, () => mutate(dice, sound)));
		let taken = 0;
		try {
			for (const piece of inPieces(dice, input)) {
				for (const message of reader.write(piece)) {
					assert(message.readUInt32BE(1) === message.length - 5 && message.length <= 255, "a message has its length");
					taken += message.length;
				}
			}
			assert(abandoned || taken + reader.begunBytes === input.length, "every byte is in a message or waits for one");
		} catch (error) {
			if (!(error instanceof FramingFault)) throw error;
		}
		reader.settle();
		assert(held.requestBytes === 0, "nothing is held afterwards");
	};
};

/** What is no gzip, and what is and grows: never beyond the bound. */
const compressed: Target = (dice) => {
	const messageBytesMax = 1_000;
	const sound = [Buffer.from("short"), Buffer.alloc(900, "repeats "), Buffer.alloc(messageBytesMax), Buffer.alloc(100_000)].map((bytes) =>
		gzipSync(bytes),
	);
	return () => {
		try {
			assert(inflate(mutate(dice, sound), { messageBytesMax }).length <= messageBytesMax, "what grows is bounded");
		} catch (error) {
			if (!(error instanceof FramingFault)) throw error;
		}
		// What was used for it is given back in a later turn.
		return dice.chance(1, 20) ? new Promise((resolve) => setImmediate(resolve)) : undefined;
	};
};

/** Requests, and pairs and events as clients read them, that are no protobuf. */
const hotCodecs: Target = (dice) => {
	const codec = createHotCodec(portableBytes);
	const decoders: ReadonlyArray<(bytes: Buffer) => unknown> = [
		(bytes) => codec.decodePutRequest(bytes),
		(bytes) => codec.decodeRangeRequest(bytes),
		(bytes) => codec.decodeDeleteRangeRequest(bytes),
		(bytes) => codec.decodeTxnRequest(bytes),
		(bytes) => codec.decodeCompactionRequest(bytes),
		(bytes) => codec.decodeKeepAliveRequest(bytes),
		decodeKeyValue,
		decodeKeyValueEvent,
		(bytes) => {
			if (!codec.isPlainPut(bytes)) return;
			const { key, value, lease, ...flags } = codec.decodePutRequest(bytes);
			assert(key.length > 0 && key.length + value.length <= bytes.length, "a plain put has a key");
			assert(lease === 0n && Object.values(flags).every((flag) => flag === false), "and nothing else but a value");
		},
	];
	const corpus = [
		"0a036b6579120576616c7565180120012801",
		"0a0161120162180a200128023001380140015001",
		"0a0161120162180140",
		"0a0c080012001a016122013a0a03120308011a0b0a090a0161120162180322021a00",
		"08051001",
		"12080a060a01611201621a0022",
		"0a0161120162",
		"0a8100611203626364",
		"0a03666f6f10021803200128012a0362617230b960",
		"0801120a0a03666f6f18042a00100c1a0d0a03666f6f10022a0362617230ff01",
	].map((hex) => Buffer.from(hex, "hex"));
	return () => {
		const bytes = mutate(dice, corpus);
		try {
			dice.pick(decoders)(bytes);
		} catch (error) {
			if (!(error instanceof WireError)) throw error;
		}
	};
};

/** Of those that take far longer a part of the inputs is enough: one of so many. */
export const SHARES: ReadonlyMap<string, number> = new Map([
	["compressed messages", 40],
	["native connections", 40],
]);

export const TARGETS: ReadonlyMap<string, Target> = new Map([
	["connections", connections],
	["header blocks", headerBlocks],
	["header pairs", headerPairs],
	["messages", messages],
	["compressed messages", compressed],
	["hot codecs", hotCodecs],
	["native connections", nativeConnection],
]);
