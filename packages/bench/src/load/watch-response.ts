/** What a load wants of encoded WatchResponses, read without decoding them: a hundred thousand of them come in a second. */
import { WireReader } from "@flotilla/base";

const EVENTS = (11 << 3) | 2;
const EVENT_KV = (2 << 3) | 2;
const KV_VALUE = (5 << 3) | 2;

/** Events of a response. */
export function countEvents(bytes: Uint8Array, start: number, end: number): number {
	let events = 0;
	const reader = new WireReader(bytes, start, end);
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === EVENTS) events++;
		reader.skip(tag);
	}
	return events;
}

/** Where the values of its pairs lie. Values that are empty are not there. */
export function visitValues(bytes: Uint8Array, start: number, end: number, visit: (at: number, length: number) => void): void {
	const reader = new WireReader(bytes, start, end);
	visitFields(reader, EVENTS, () =>
		visitFields(reader, EVENT_KV, () => visitFields(reader, KV_VALUE, () => visit(reader.at, reader.end - reader.at))),
	);
}

/** Shows the contents of all fields with this tag: for the visit the reader stands in each of them. */
function visitFields(reader: WireReader, wanted: number, visit: () => void): void {
	const { end } = reader;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag !== wanted) {
			reader.skip(tag);
			continue;
		}
		const start = reader.lengthPrefix();
		const next = reader.at;
		reader.at = start;
		reader.end = next;
		visit();
		reader.at = next;
		reader.end = end;
	}
}
