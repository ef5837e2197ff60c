/** The handshake's bytes: what a stranger may send, and how much of it is looked at. */
import { concatBytes, Dice, writeU32 } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import {
	decodeAnswer,
	decodeHello,
	encodeAnswer,
	encodeHello,
	HandshakeReader,
	HELLO_BYTES_MAX,
	type Hello,
} from "../../src/peers/hello.ts";
import { Lane } from "../../src/peers/lane.ts";
import { randomBytes } from "./random-messages.ts";

const hello: Hello = {
	versionMin: 1,
	versionMax: 3,
	clusterId: 0xfedc_ba98_7654_3210n,
	from: 0xffff_ffff_ffff_ffffn,
	to: 2n,
	incarnation: 2 ** 53 - 1,
	lane: Lane.log,
	peerUrls: ["http://10.0.0.1:2380", "http://[::1]:2380"],
};

describe("the handshake", () => {
	test("a hello and an answer come back as they were", () => {
		expect(decodeHello(encodeHello(nodeBytes, hello))).toEqual(hello);
		for (const code of ["accepted", "version", "wrong-cluster", "wrong-node", "removed", "unknown", "lane"] as const) {
			const answer = { code, version: 1, incarnation: 77 };
			expect(decodeAnswer(encodeAnswer(nodeBytes, answer))).toEqual(answer);
		}
	});

	test("it may come byte by byte, and what follows is kept", () => {
		const wire = concatBytes([encodeHello(nodeBytes, hello), Uint8Array.of(9, 8, 7)]);
		for (const piece of [1, 5, 47, wire.length]) {
			const reader = new HandshakeReader(nodeBytes);
			let at = 0;
			let progress = reader.feed(wire.slice(0, piece));
			for (at = piece; progress.state === "more"; at += piece) progress = reader.feed(wire.slice(at, at + piece));
			expect(progress.state).toBe("done");
			if (progress.state !== "done") return;
			expect(decodeHello(progress.message)).toEqual(hello);
			expect([...progress.rest, ...wire.slice(at)]).toEqual([9, 8, 7]);
		}
	});

	test("a sender that says nothing of its addresses, or more than fits, is taken all the same", () => {
		for (const peerUrls of [[], Array.from({ length: 40 }, (_, n) => `http://member-${n}.example:2380`)]) {
			expect(decodeHello(encodeHello(nodeBytes, { ...hello, peerUrls }))).toEqual({ ...hello, peerUrls: [] });
		}
		// As the first version had it, without the field.
		const wire = encodeHello(nodeBytes, { ...hello, peerUrls: [] });
		const short = concatBytes([wire.subarray(0, 44), wire.subarray(wire.length - 4)]);
		expect(decodeHello(short)).toEqual({ ...hello, peerUrls: [] });
	});

	test("fields that a later version adds are skipped", () => {
		const known = encodeHello(nodeBytes, hello);
		const longer = concatBytes([known.subarray(0, known.length - 4), Uint8Array.of(1, 2, 3, 4, 5), new Uint8Array(4)]);
		const body = longer.length - 6;
		longer[4] = body & 0xff;
		longer[5] = body >>> 8;
		writeU32(longer, longer.length - 4, nodeBytes.crc32c(longer, 0, longer.length - 4));
		const progress = new HandshakeReader(nodeBytes).feed(longer);
		expect(progress.state === "done" && decodeHello(progress.message)).toEqual(hello);
	});

	test("every damaged bit is noticed", () => {
		const wire = encodeHello(nodeBytes, hello);
		for (let bit = 0; bit < wire.length * 8; bit++) {
			const damaged = wire.slice();
			damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
			expect(new HandshakeReader(nodeBytes).feed(damaged).state).not.toBe("done");
		}
	});

	test("strangers are known by their first bytes", () => {
		const strangers = ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00", "FLOX", "", "\0"];
		for (const text of strangers.filter((each) => each !== "")) {
			expect(new HandshakeReader(nodeBytes).feed(Buffer.from(text, "latin1")).state).toBe("garbage");
		}
		expect(new HandshakeReader(nodeBytes).feed(Buffer.from("FLO")).state).toBe("more");
	});

	test("random bytes behind the magic never end in a hello, and no more than the limit is held", () => {
		const dice = new Dice("strangers");
		for (let round = 0; round < 300; round++) {
			const reader = new HandshakeReader(nodeBytes);
			let progress = reader.feed(concatBytes([Buffer.from("FLOT"), randomBytes(dice, dice.range(0, 80))]));
			for (let more = 0; more < 40 && progress.state === "more"; more++) progress = reader.feed(randomBytes(dice, dice.range(1, 100)));
			expect(progress.state).toBe("garbage");
		}
		const long = concatBytes([Buffer.from("FLOT"), Uint8Array.of(0xff, 0xff), new Uint8Array(HELLO_BYTES_MAX * 4)]);
		expect(new HandshakeReader(nodeBytes).feed(long).state).toBe("garbage");
	});
});
