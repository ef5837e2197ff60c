/** One decoded header block, and what RFC 9113 asks of it (8.1 to 8.3). A block that repeats is one object, looked at once. */

export class HeaderBlock {
	/** In the order in which they came. One byte a character. */
	readonly names: readonly string[];
	readonly values: readonly string[];
	/** It had too many fields or too many bytes; what came behind the limit is not in it. */
	readonly cut: boolean;
	/** As RFC 9113 counts them (6.5.2): each field with 32 bytes more. */
	readonly bytes: number;
	/** For whoever reads it: what was made of it, to be found again when the block repeats. */
	note: unknown = null;
	private request: RequestHead | null = null;

	constructor(names: readonly string[], values: readonly string[], bytes: number, cut: boolean) {
		this.bytes = bytes;
		this.names = names;
		this.values = values;
		this.cut = cut;
	}

	/** First value of a field, or undefined. */
	get(name: string): string | undefined {
		const at = this.names.indexOf(name);
		return at < 0 ? undefined : this.values[at];
	}

	get requestHead(): RequestHead {
		this.request ??= readRequestHead(this);
		return this.request;
	}
}

export interface RequestHead {
	/** What is wrong with it; null for a sound request. */
	readonly fault: string | null;
	readonly method: string;
	readonly scheme: string;
	readonly path: string;
	/** -1 without one. */
	readonly contentLength: number;
}

const CONNECTION_FIELDS: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
const REQUEST_PSEUDO: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path"]);

function readRequestHead(block: HeaderBlock): RequestHead {
	const seen = new Map<string, string>();
	let fault = checkFields(block, REQUEST_PSEUDO, seen);
	const method = seen.get(":method") ?? "";
	const scheme = seen.get(":scheme") ?? "";
	const path = seen.get(":path") ?? "";
	if (fault === null && (method === "" || scheme === "" || path === "")) fault = "a pseudo-header is missing";
	let contentLength = -1;
	for (const [at, name] of block.names.entries()) {
		if (name !== "content-length") continue;
		const value = block.values[at] as string;
		const length = /^\d{1,15}$/.test(value) ? Number(value) : -1;
		if (length < 0 || (contentLength >= 0 && contentLength !== length)) fault ??= "content-length is malformed";
		contentLength = length;
	}
	return { fault, method, scheme, path, contentLength };
}

/** For the client half: `:status` of an answer, or null when the block is none. */
export function statusOf(block: HeaderBlock): number | null {
	const seen = new Map<string, string>();
	if (block.cut || checkFields(block, STATUS_PSEUDO, seen) !== null) return null;
	const status = seen.get(":status") ?? "";
	return /^\d{3}$/.test(status) ? Number(status) : null;
}

const STATUS_PSEUDO: ReadonlySet<string> = new Set([":status"]);
const NO_PSEUDO: ReadonlySet<string> = new Set();

/** What is wrong with a block of trailers; null for a sound one. */
export function trailersFault(block: HeaderBlock): string | null {
	return block.cut ? "too many fields" : checkFields(block, NO_PSEUDO, new Map());
}

/** Fills `pseudo` with the pseudo-headers. */
function checkFields(block: HeaderBlock, allowed: ReadonlySet<string>, pseudo: Map<string, string>): string | null {
	const { names, values } = block;
	let regular = false;
	for (let at = 0; at < names.length; at++) {
		const name = names[at] as string;
		const value = values[at] as string;
		if (!isFieldValue(value)) return "a field's value has characters that are not allowed";
		if (name.charCodeAt(0) === COLON) {
			if (regular) return "a pseudo-header comes behind other fields";
			if (!allowed.has(name)) return "a pseudo-header is not known";
			if (pseudo.has(name)) return "a pseudo-header comes twice";
			pseudo.set(name, value);
			continue;
		}
		regular = true;
		if (!isFieldName(name)) return "a field's name has characters that are not allowed";
		if (CONNECTION_FIELDS.has(name)) return "a field of HTTP/1.1 connections";
		if (name === "te" && value !== "trailers") return "te says other than trailers";
	}
	return null;
}

const COLON = 0x3a;

/** Characters of a name: tokens of RFC 9110 (5.6.2) without upper case. */
const NAME_CHARACTERS = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

function isFieldName(name: string): boolean {
	return NAME_CHARACTERS.test(name);
}

/** No zero byte, no line end, no white space around it (RFC 9113, 8.2.1). */
function isFieldValue(value: string): boolean {
	if (value.length === 0) return true;
	for (let at = 0; at < value.length; at++) {
		const code = value.charCodeAt(at);
		if (code === 0 || code === 10 || code === 13) return false;
	}
	return !isSpace(value.charCodeAt(0)) && !isSpace(value.charCodeAt(value.length - 1));
}

function isSpace(code: number): boolean {
	return code === 0x20 || code === 0x09;
}
