/** A refusal as grpc-js takes it from a handler. */
import { Metadata, type ServerErrorResponse } from "@grpc/grpc-js";
import { DETAILS_TRAILER, type Status } from "./seam.ts";

/** Not an Error: nobody reads its stack. */
export type LibraryRefusal = Pick<ServerErrorResponse, "code" | "details"> & { readonly metadata?: Metadata };

export function refusalFor({ code, message, details }: Status): LibraryRefusal {
	if (details === undefined) return { code, details: message };
	const metadata = new Metadata();
	metadata.set(DETAILS_TRAILER, Buffer.from(details));
	return { code, details: message, metadata };
}
