/** The puts of an encoded WatchResponse, without decoding it: under load a client that decodes would be the bottleneck. */
import { WireReader } from "@flotilla/base";

const EVENTS = (11 << 3) | 2;
const EVENT_KV = (2 << 3) | 2;
const KV_MOD_REVISION = 3 << 3;
const KV_VALUE = (5 << 3) | 2;

/** Shows the mod revision of each put that has a value, and where that begins. Returns how many there were. */
export function visitPuts(
	bytes: Buffer,
	start: number,
	end: number,
	visit: (revision: number, bytes: Buffer, valueAt: number) => void,
): number {
	const reader = new WireReader(bytes, start, end);
	let puts = 0;
	let revision = 0;
	const pair = (tag: number): boolean => {
		if (tag === KV_MOD_REVISION) revision = reader.int64Clamped();
		else if (tag === KV_VALUE) {
			const at = reader.lengthPrefix();
			puts++;
			visit(revision, bytes, at);
		} else return false;
		return true;
	};
	const event = (tag: number): boolean => tag === EVENT_KV && within(reader, pair);
	within(reader, (tag) => tag === EVENTS && within(reader, event), end);
	return puts;
}

/** Shows the fields of the message that stands next in `reader`, or of all of it up to `end`. `take` reads the field or returns false. */
function within(reader: WireReader, take: (tag: number) => boolean, end?: number): true {
	const outer = reader.end;
	if (end === undefined) {
		const start = reader.lengthPrefix();
		reader.end = reader.at;
		reader.at = start;
	}
	while (!reader.done) {
		const tag = reader.tag();
		if (!take(tag)) reader.skip(tag);
	}
	reader.end = outer;
	return true;
}
