/** Maintenance.Snapshot over a scripted member: chunks, digest, pace, and every way it ends. */
import { createHash } from "node:crypto";
import { etcdserverpb as pb } from "@flotilla/api";
import { beforeEach, expect, test } from "vitest";
import { LEARNER, member, type ScriptedStream, SELF, ServiceHouse } from "./scripted-member.ts";

const PATH = "/etcdserverpb.Maintenance/Snapshot";
const EMPTY = new Uint8Array(0);

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const part = (length: number, bytesLeft: number, last = false) =>
	({ kind: "bytes", bytes: Uint8Array.from({ length }, (_, at) => (at * 7) % 251), last, bytesLeft }) as const;

async function asked(call: ScriptedStream): Promise<ScriptedStream> {
	call.receive(EMPTY);
	for (let turn = 0; turn < 20; turn++) await Promise.resolve();
	return call;
}

test("chunks of 32 KiB whatever the parts are, then the SHA-256 of all of them", async () => {
	const parts = [part(50_000, 60_000), part(40_000, 9_216), part(9_216, 0, true)];
	house.member.parts = [...parts];
	const call = await asked(house.stream(PATH));
	const answers = call.sent.map((bytes) => pb.SnapshotResponse.decode(bytes));
	expect(answers.map(({ blob, remainingBytes }) => [blob.length, remainingBytes])).toEqual([
		[32_768, 77_232],
		[32_768, 33_680],
		[32_768, 912],
		[912, 0],
		[32, 0],
	]);
	expect(answers.every(({ header, version }) => header === null && version === "3.6.0")).toBe(true);
	const image = Buffer.concat(answers.slice(0, -1).map(({ blob }) => blob));
	expect(image).toEqual(Buffer.concat(parts.map(({ bytes }) => bytes)));
	expect(Buffer.from(answers.at(-1)?.blob ?? EMPTY)).toEqual(createHash("sha256").update(image).digest());
	expect([call.ended, house.member.exportsClosed]).toEqual([{ code: 0, message: "" }, 1]);
});

test("nothing is read for a client that has not read what it was sent", async () => {
	house.member.parts = [part(32_768, 32_768), part(32_768, 0, true)];
	const call = house.stream(PATH);
	call.room = 1;
	await asked(call);
	expect([call.sent.length, house.member.parts.length]).toEqual([1, 1]);
	call.drain();
	await Promise.resolve();
	expect([call.sent.length, call.ended?.code]).toEqual([3, 0]);
});

test("a client that goes away, a state that cannot be read on, and a second client", async () => {
	house.member.parts = [part(32_768, 32_768)];
	const gone = await asked(house.stream(PATH));
	gone.cancel();
	expect([gone.ended, house.member.exportsClosed]).toEqual([null, 1]);
	house.member.parts = [part(10, 10), { kind: "failed", reason: "a reason" }];
	const failed = await asked(house.stream(PATH));
	expect(failed.ended).toEqual({ code: 14, message: "etcdserver: the snapshot cannot be completed: a reason" });
	house.member.parts = null;
	const second = await asked(house.stream(PATH));
	expect(second.ended).toEqual({ code: 8, message: "etcdserver: another snapshot is being saved from this member" });
});

test("a learner serves it", async () => {
	house.member.members = [member(SELF, { learner: true }), member(LEARNER)];
	house.member.parts = [part(512, 0, true)];
	expect((await asked(house.stream(PATH))).ended?.code).toBe(0);
});
