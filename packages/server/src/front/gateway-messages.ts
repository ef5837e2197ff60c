/** The JSON forms of requests, as the gateway takes them, and the messages that they stand for. */
import { JsonError, type Method } from "@flotilla/api";
import { messageTooLarge } from "./etcd-texts.ts";
import { hasMoreValues } from "./json-values.ts";
import { Grpc, type MethodHandler, type Status } from "./seam.ts";

/** Messages in one text: more than any client has to say at once, and each may begin a watch of its own. */
const MESSAGES_MAX = 1_024;
/** Values in one text: far more than a transaction of as many operations as are allowed without a flag. */
export const JSON_VALUES_MAX = 20_000;
const TOO_MANY: Status = { code: Grpc.invalidArgument, message: `more than ${MESSAGES_MAX} messages at once` };

export interface GatewayOptions {
	/** As for gRPC: a message that is larger in its binary form is refused with RESOURCE_EXHAUSTED. */
	readonly messageBytesMax: number;
	/** Hears of those. */
	readonly onTooLarge?: (client: { readonly path: string; readonly peer: string }) => void;
	/** Values in one body or WebSocket message; `JSON_VALUES_MAX` without it. More are refused before anything is built of them. */
	readonly valuesMax?: number;
	readonly onTooManyValues?: (client: { readonly path: string; readonly peer: string }) => void;
}

/** What serves one path. */
export interface Route {
	readonly method: Method;
	readonly handler: MethodHandler;
}

export type Messages = { readonly ok: true; readonly messages: readonly Uint8Array[] } | { readonly ok: false; readonly status: Status };

/** One message, unless the client may stream. */
export function readMessages({ method, handler }: Route, text: string, peer: string, options: GatewayOptions): Messages {
	const { valuesMax = JSON_VALUES_MAX } = options;
	if (hasMoreValues(text, valuesMax)) {
		options.onTooManyValues?.({ path: method.path, peer });
		return { ok: false, status: { code: Grpc.invalidArgument, message: `more than ${valuesMax} JSON values at once` } };
	}
	const texts = handler.shape === "stream" && handler.clientStreams ? splitJson(text, MESSAGES_MAX) : [text];
	if (texts === null) return { ok: false, status: TOO_MANY };
	const { messageBytesMax } = options;
	const messages: Uint8Array[] = [];
	try {
		for (const each of texts) {
			const bytes = method.request.encode(method.request.decodeJson(each));
			if (bytes.length > messageBytesMax) {
				options.onTooLarge?.({ path: method.path, peer });
				return { ok: false, status: messageTooLarge(bytes.length, messageBytesMax) };
			}
			messages.push(bytes);
		}
	} catch (error) {
		if (error instanceof JsonError) return { ok: false, status: { code: Grpc.invalidArgument, message: error.message } };
		throw error;
	}
	return { ok: true, messages };
}

/** JSON passes over these blanks, and over no others. */
const SOMETHING = /[^ \t\r\n]/;

/** Texts of the objects that stand one after another; null: more than `most`. What is no object ends up in a piece that JSON refuses. */
function splitJson(text: string, most: number): string[] | null {
	const pieces: string[] = [];
	let start = 0;
	let depth = 0;
	let inString = false;
	for (let at = 0; at < text.length; at++) {
		const letter = text[at];
		if (inString) {
			if (letter === "\\") at++;
			else if (letter === '"') inString = false;
		} else if (letter === '"') {
			inString = true;
		} else if (letter === "{") {
			depth++;
		} else if (letter === "}" && --depth === 0) {
			if (pieces.length === most) return null;
			pieces.push(text.slice(start, at + 1));
			start = at + 1;
		}
	}
	const rest = text.slice(start);
	if (SOMETHING.test(rest)) pieces.push(rest);
	return pieces;
}
