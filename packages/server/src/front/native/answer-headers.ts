/** Header blocks of answers. */
import type { HeaderField } from "../../http2/hpack-encoder.ts";
import { DETAILS_TRAILER, type Status } from "../seam.ts";
import type { Refusal } from "./call-head.ts";

const again = (name: string, value: string): HeaderField => ({ name, value, repeats: true });
const once = (name: string, value: string): HeaderField => ({ name, value, repeats: false });

const CONTENT_TYPE = again("content-type", "application/grpc");
export const ANSWER_HEAD: readonly HeaderField[] = [again(":status", "200"), CONTENT_TYPE];
export const OK_TRAILERS: readonly HeaderField[] = [again("grpc-status", "0")];

/** Behind messages. */
export function trailersOf(status: Status): HeaderField[] {
	const fields = [again("grpc-status", String(status.code))];
	if (status.message !== "") fields.push(once("grpc-message", percentEncode(status.message)));
	if (status.details !== undefined) fields.push(once(DETAILS_TRAILER, base64(status.details)));
	return fields;
}

/** As gRPC has it: without padding. */
function base64(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64").replace(/=+$/, "");
}

/** Instead of everything else ("Trailers-Only"). */
export function loneStatus(status: Status): HeaderField[] {
	return [...ANSWER_HEAD, ...trailersOf(status)];
}

export function refusalOf({ httpStatus, status, namesEncodings }: Refusal): HeaderField[] {
	const fields = [again(":status", String(httpStatus)), CONTENT_TYPE, ...trailersOf(status)];
	if (namesEncodings) fields.push(once("grpc-accept-encoding", "identity,gzip"));
	return fields;
}

const PLAIN = /^[!-$&-~](?:[ -$&-~]*[!-$&-~])?$/;

/**
 * How gRPC carries a text (gRPC over HTTP/2, "Status-Message"): printable ASCII but "%" as it is, other bytes of its UTF-8 as
 * "%XX". Spaces at the ends, which no field may have, as well.
 */
export function percentEncode(text: string): string {
	if (PLAIN.test(text)) return text;
	const bytes = Buffer.from(text, "utf8");
	let encoded = "";
	for (const [at, byte] of bytes.entries()) {
		const inside = byte === SPACE && at > 0 && at < bytes.length - 1;
		if (inside || (byte > SPACE && byte < 0x7f && byte !== PERCENT)) encoded += String.fromCharCode(byte);
		else encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
	}
	return encoded;
}

const SPACE = 0x20;
const PERCENT = 0x25;
