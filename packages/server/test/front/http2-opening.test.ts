import { describe, expect, test } from "vitest";
import { mendAuthority } from "../../src/front/authority.ts";
import { EMPTY_SETTINGS, Http2Opening } from "../../src/front/http2-opening.ts";
import { HTTP2_PREFACE } from "../../src/front/preface.ts";

const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
	const head = Buffer.alloc(9);
	head.writeUIntBE(payload.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(stream, 5);
	return Buffer.concat([head, payload]);
};
const literal = (index: number, value: string): Buffer => Buffer.concat([Buffer.from([0x40 | index, value.length]), Buffer.from(value)]);
/** `:method POST`, `:scheme http`, a path, the authority, and a field with a name of its own. */
const block = (authority: string): Buffer =>
	Buffer.concat([
		Buffer.from([0x83, 0x86]),
		literal(4, "/etcdserverpb.KV/Put"),
		literal(1, authority),
		Buffer.from([0x00, 2]),
		Buffer.from("te"),
		Buffer.from([8]),
		Buffer.from("trailers"),
	]);
/** "http://a" in the code of RFC 7541: 41 bits of scheme, 5 of `a`, 2 of padding. */
const CODED = Buffer.from("9d29aee30c0f", "hex");

const settings = Buffer.from(EMPTY_SETTINGS);
const acknowledgement = frame(4, 1, 0, new Uint8Array(0));
const put = (authority: string): Buffer => frame(1, 4, 1, block(authority));

describe("an authority that is a URL", () => {
	test("is replaced, and nothing else is touched", () => {
		expect(mendAuthority(block("http://127.0.0.1:2379"))).toEqual(block("localhost"));
		expect(mendAuthority(block("https://[::1]:2379"))).toEqual(block("localhost"));
	});

	test("also in Huffman code", () => {
		const coded = Buffer.concat([Buffer.from([0x41, 0x80 | CODED.length]), CODED]);
		expect(mendAuthority(Buffer.concat([Buffer.from([0x83]), coded, literal(4, "/x")]))).toEqual(
			Buffer.concat([Buffer.from([0x83]), literal(1, "localhost"), literal(4, "/x")]),
		);
	});

	test("a sound one stays, and a block that cannot be read is left to whoever refuses it", () => {
		expect(mendAuthority(block("127.0.0.1:2379"))).toBeNull();
		for (let cut = 0; cut < 30; cut++) expect(mendAuthority(block("http://127.0.0.1:2379").subarray(0, cut))).toBeNull();
		for (let byte = 0; byte < 256; byte++) mendAuthority(Buffer.alloc(64, byte));
	});
});

describe("the opening of a connection", () => {
	test("a client that does not wait gets no settings of ours", () => {
		const opening = new Http2Opening();
		const all = Buffer.concat([HTTP2_PREFACE, settings, put("http://127.0.0.1:2379"), frame(0, 1, 1, Buffer.from("body"))]);
		expect(opening.feed(all)).toEqual({
			state: "done",
			bytes: Buffer.concat([HTTP2_PREFACE, settings, put("localhost"), frame(0, 1, 1, Buffer.from("body"))]),
		});
	});

	test("one that waits gets them once, and Node never sees the acknowledgement, however the bytes are cut", () => {
		for (const size of [1, 2, 7, 1_000]) {
			const opening = new Http2Opening();
			expect(opening.feed(Buffer.concat([HTTP2_PREFACE, settings]))).toEqual({ state: "more", settings: EMPTY_SETTINGS });
			const rest = Buffer.concat([acknowledgement, frame(8, 0, 0, Buffer.alloc(4, 1)), put("http://127.0.0.1:2379")]);
			let bytes: Buffer = Buffer.alloc(0);
			for (let at = 0; at < rest.length; at += size) {
				const progress = opening.feed(rest.subarray(at, at + size));
				if (progress.state === "done") bytes = progress.bytes;
				else expect(progress).toEqual({ state: "more", settings: null });
			}
			expect(bytes).toEqual(Buffer.concat([HTTP2_PREFACE, settings, frame(8, 0, 0, Buffer.alloc(4, 1)), put("localhost")]));
		}
	});

	test("a call that comes before the acknowledgement waits for it", () => {
		const opening = new Http2Opening();
		opening.feed(Buffer.concat([HTTP2_PREFACE, settings]));
		expect(opening.idle).toBe(false);
		expect(opening.feed(put("localhost")).state).toBe("more");
		expect(opening.feed(acknowledgement)).toEqual({ state: "done", bytes: Buffer.concat([HTTP2_PREFACE, settings, put("localhost")]) });
	});

	test("a client that connects and waits owes nothing; one that floods is cut off", () => {
		const opening = new Http2Opening();
		opening.feed(Buffer.concat([HTTP2_PREFACE, settings]));
		opening.feed(acknowledgement);
		expect(opening.idle).toBe(true);
		let state = "more";
		for (let n = 0; n < 40_000 && state === "more"; n++) state = opening.feed(frame(8, 0, 0, Buffer.alloc(4, 1))).state;
		expect(state).toBe("flooded");
	});
});
