/**
 * Who dials a peer port, read from the first bytes without changing them: flotilla's members say it in their hello ("FLOT",
 * id at byte 20, little endian), etcd's in a header of their first request or in the path of their stream.
 */
const HEAD_BYTES_MAX = 4_096;
const FLOTILLA_ID_AT = 20;

export class DialerReader {
	/** In hexadecimal without leading zeros; null while nobody knows. */
	id: string | null = null;
	private head = Buffer.alloc(0);
	private over = false;

	feed(chunk: Buffer): void {
		if (this.over) return;
		this.head = Buffer.concat([this.head, chunk.subarray(0, HEAD_BYTES_MAX - this.head.length)]);
		this.id = dialerOf(this.head);
		this.over = this.id !== null || this.head.length >= HEAD_BYTES_MAX;
	}
}

export function dialerOf(head: Buffer): string | null {
	if (head.subarray(0, 4).toString("latin1") === "FLOT") {
		return head.length < FLOTILLA_ID_AT + 8 ? null : head.readBigUInt64LE(FLOTILLA_ID_AT).toString(16);
	}
	const text = head.toString("latin1");
	const match = /\r\nx-server-from: ([0-9a-f]+)\r\n/i.exec(text) ?? /^GET \/raft\/stream\/\w+\/([0-9a-f]+) /.exec(text);
	return match?.[1] ?? null;
}
