import { describe, expect, test } from "vitest";
import { decodeFormat, encodeFormat, type MemberFormat } from "./format-file.ts";

const format: MemberFormat = { clusterId: 1n, memberId: 2n, state: "ready", generation: "1", joined: false, initialMembers: [] };
const sound = Buffer.from(encodeFormat(format)).toString("latin1");
const [line = "", checksum = ""] = sound.split("\n");

describe("a damaged format file", () => {
	test.each([
		["that is empty", "", "0 bytes without a line"],
		["whose checksum is another one", `${line}\n0${checksum.slice(1)}0\n`, `checksum 0${checksum.slice(1)}0`],
		["without a checksum", `${line}\n`, "checksum missing"],
		["of random bytes is named and not repeated", `\x01\xff\x1b[2J\n${"\x1b[31m\xfe".repeat(500)}\n`, "no checksum in its second line"],
	])("%s", (_what, text, found) => {
		expect(decodeFormat(Buffer.from(text, "latin1"))).toMatchObject({ ok: false, code: "damaged", found });
	});
});
