/** How HTTP/2 with prior knowledge begins (RFC 9113, 3.4). Its first line can be no request of HTTP/1.1. */
export const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

const DECIDING_BYTES = "PRI * HTTP/2.0\r\n\r\n".length;

/** Null while the bytes are too few to tell. */
export function protocolOf(bytes: Uint8Array): "http2" | "http1" | null {
	const length = Math.min(bytes.length, DECIDING_BYTES);
	for (let at = 0; at < length; at++) {
		if (bytes[at] !== HTTP2_PREFACE[at]) return "http1";
	}
	return length === DECIDING_BYTES ? "http2" : null;
}
