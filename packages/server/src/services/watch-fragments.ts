export interface Fragment {
	readonly events: readonly Uint8Array[];
	/** Others follow. */
	readonly more: boolean;
}

/** What a response holds besides its events, at most. */
const HEAD_BYTES = 64;

/**
 * Cuts a response of `bytesMax` or more into parts of consecutive events below it (etcd API 3.6). An event that is larger by
 * itself goes alone.
 */
export function fragments(events: readonly Uint8Array[], bytesMax: number): Fragment[] {
	const parts: Fragment[] = [];
	let start = 0;
	let bytes = HEAD_BYTES;
	for (const [at, event] of events.entries()) {
		const size = eventSize(event);
		if (at > start && bytes + size >= bytesMax) {
			parts.push({ events: events.slice(start, at), more: true });
			start = at;
			bytes = HEAD_BYTES;
		}
		bytes += size;
	}
	parts.push({ events: start === 0 ? events : events.slice(start), more: false });
	return parts;
}

/** In a response: tag, length, event. */
function eventSize(event: Uint8Array): number {
	let size = 2 + event.length;
	for (let rest = event.length; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
	return size;
}
