/** Slow clients (faults 9.1): each rule on a connection of its own, on a clock that the test moves; and who is slow but goes on is kept. */
import { expect, test } from "vitest";
import { DEFAULT_CONNECTION_OPTIONS } from "../../src/http2/connection-options.ts";
import { Patience, Stillness } from "../../src/http2/patience.ts";
import { Flag, FrameType } from "../../src/http2/protocol.ts";
import { End, frame, OPENING, REQUEST } from "./two-ends.ts";

/** As rule D4 has them, not read from the product. */
const SILENCE_MS = 10_000;
const SLOWNESS_MS = 30_000;
const LOOK_MS = 1_000;

class Watched {
	readonly server = new End("server");
	private nowMs = 500;
	private readonly patience = new Patience(this.server.connection, DEFAULT_CONNECTION_OPTIONS, this.nowMs);

	/** Looks each second for so long; what was found, and after how many milliseconds. `meanwhile` happens before each look. */
	after(forMs: number, meanwhile: () => void = () => {}): { readonly reason: string; readonly ms: number } | null {
		for (let ms = LOOK_MS; ms <= forMs; ms += LOOK_MS) {
			meanwhile();
			this.nowMs += LOOK_MS;
			const reason = this.patience.look(this.nowMs);
			if (reason !== null) return { reason, ms };
		}
		return null;
	}

	receive(...bytes: Buffer[]): void {
		for (const some of bytes) this.server.connection.receive(Buffer.from(some));
	}
}

function watched(...bytes: Buffer[]): Watched {
	const made = new Watched();
	made.receive(...bytes);
	return made;
}

const OPEN_BLOCK = frame(FrameType.headers, 0, 1, REQUEST);
/** A frame with a hundred bytes of content, begun. */
const LONG = frame(FrameType.data, 0, 1, new Uint8Array(100));

test("who says nothing after connecting", () => {
	expect(watched().after(60_000)).toEqual({ reason: "no SETTINGS came", ms: SILENCE_MS });
	expect(watched(OPENING.subarray(0, 24)).after(60_000)).toEqual({ reason: "no SETTINGS came", ms: SILENCE_MS });
	expect(watched(OPENING).after(120_000)).toBeNull();
});

test("who does not end a header block", () => {
	// The first look begins the count.
	expect(watched(OPENING, OPEN_BLOCK).after(60_000)).toEqual({ reason: "a header block did not end", ms: SILENCE_MS + LOOK_MS });
	const ends = watched(OPENING, OPEN_BLOCK);
	expect(ends.after(SILENCE_MS)).toBeNull();
	ends.receive(frame(FrameType.continuation, Flag.endHeaders, 1));
	expect(ends.after(120_000)).toBeNull();
});

test("a header block that goes on and on, frame by frame, is one that does not end", () => {
	const slow = watched(OPENING, OPEN_BLOCK);
	const more = (): void => slow.receive(frame(FrameType.continuation, 0, 1, "be"));
	expect(slow.after(60_000, more)?.reason).toBe("a header block did not end");
});

test("who stops in the middle of a frame", () => {
	const stopped = watched(OPENING, frame(FrameType.headers, Flag.endHeaders, 1, REQUEST), LONG.subarray(0, 30));
	expect(stopped.after(60_000)).toEqual({ reason: "a frame did not go on", ms: SILENCE_MS + LOOK_MS });
	// Its head counts, too.
	expect(watched(OPENING, LONG.subarray(0, 4)).after(60_000)?.reason).toBe("a frame did not go on");
});

test("who sends a frame byte by byte", () => {
	const slow = watched(OPENING, frame(FrameType.headers, Flag.endHeaders, 1, REQUEST), LONG.subarray(0, 30));
	let at = 30;
	const next = (): void => {
		slow.receive(LONG.subarray(at, at + 1));
		at++;
	};
	expect(slow.after(60_000, next)).toEqual({ reason: "a frame did not end", ms: SLOWNESS_MS + LOOK_MS });
	const patient = watched(OPENING, frame(FrameType.headers, Flag.endHeaders, 1, REQUEST));
	expect(patient.after(120_000, () => patient.receive(LONG))).toBeNull();
});

test("who reads nothing of what waits for it", () => {
	const deaf = watched(OPENING);
	deaf.server.connection.congested = true;
	expect(deaf.after(60_000)).toEqual({ reason: "answers are not read", ms: SLOWNESS_MS + LOOK_MS });
	const slow = watched(OPENING);
	slow.server.connection.congested = true;
	// The socket has taken some, and is full again.
	expect(slow.after(120_000, () => void slow.server.connection.takeOutput())).toBeNull();
});

test("what moves by less than it has to stands still", () => {
	const still = new Stillness();
	const looks = [0, 5, 9, 10, 12, 19, 21].map((mark, second) => still.since(true, mark, second * LOOK_MS, 10) / LOOK_MS);
	expect(looks).toEqual([0, 1, 2, 0, 1, 2, 0]);
	expect(still.since(false, 21, 60_000, 10)).toBe(0);
});
