/** What the headers of a request say to gRPC. Made once for all calls whose headers are the same bytes. */
import type { HeaderBlock } from "../../http2/header-block.ts";
import { MALFORMED_TIMEOUT, unknownMethod } from "../etcd-texts.ts";
import { timeoutMs } from "../grpc-timeout.ts";
import { Grpc, type MethodHandler, type MethodTable, type Status } from "../seam.ts";

export interface CallHead {
	readonly path: string;
	/** Null: the call is refused. */
	readonly method: MethodHandler | null;
	/** Why, and with which status of HTTP. */
	readonly refusal: Refusal | null;
	/** Infinity without one. */
	readonly timeoutMs: number;
	/** Messages may be compressed with gzip. */
	readonly gzip: boolean;
}

export interface Refusal {
	readonly httpStatus: 200 | 405 | 415;
	readonly status: Status;
	/** The encodings that would have been taken are to be named. */
	readonly namesEncodings: boolean;
}

const CONTENT_TYPE = "application/grpc";

/** Its content is gRPC's, whatever else is wrong with it. */
export function isGrpc(block: HeaderBlock): boolean {
	const type = block.get("content-type") ?? "";
	if (!type.startsWith(CONTENT_TYPE)) return false;
	const next = type.charAt(CONTENT_TYPE.length);
	return next === "" || next === "+" || next === ";";
}

export function readCallHead(block: HeaderBlock, methods: MethodTable, services: ReadonlySet<string>): CallHead {
	const { path, method: verb } = block.requestHead;
	const timeout = block.get("grpc-timeout");
	const head = { path, timeoutMs: timeout === undefined ? Number.POSITIVE_INFINITY : timeoutMs(timeout) };
	const refuse = (status: Status, httpStatus: Refusal["httpStatus"] = 200, namesEncodings = false): CallHead => ({
		...head,
		method: null,
		refusal: { httpStatus, status, namesEncodings },
		gzip: false,
	});
	if (!isGrpc(block)) {
		const type = block.get("content-type") ?? "";
		return refuse({ code: Grpc.invalidArgument, message: `invalid gRPC request content-type ${JSON.stringify(type)}` }, 415);
	}
	if (verb !== "POST") {
		return refuse(
			{ code: Grpc.internal, message: `Received a HEADERS frame with :method ${JSON.stringify(verb)} which should be POST` },
			405,
		);
	}
	if (Number.isNaN(head.timeoutMs)) return refuse(MALFORMED_TIMEOUT);
	const bad = malformedBinary(block);
	if (bad !== null) return refuse({ code: Grpc.internal, message: `malformed binary metadata in header ${JSON.stringify(bad)}` });
	const method = methods.get(path);
	if (method === undefined) return refuse(unknownMethod(path, services));
	const encoding = block.get("grpc-encoding") ?? "";
	if (encoding !== "" && encoding !== "identity" && encoding !== "gzip") {
		const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`;
		return refuse({ code: Grpc.unimplemented, message }, 200, true);
	}
	return { ...head, method, refusal: null, gzip: encoding === "gzip" };
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Name of the first binary field whose value is no base64, which may be without padding. */
function malformedBinary({ names, values }: HeaderBlock): string | null {
	for (const [at, name] of names.entries()) {
		if (!name.endsWith("-bin")) continue;
		for (const value of (values[at] as string).split(",")) {
			const text = value.trim();
			if (!BASE64.test(text) || text.replace(/=+$/, "").length % 4 === 1) return name;
		}
	}
	return null;
}
