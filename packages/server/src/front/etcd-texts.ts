/** What etcd says where the gRPC library has words of its own. Clients match these letter by letter. */
import { FAULTS } from "@flotilla/api";
import { Grpc, type Status } from "./seam.ts";

/** Bytes that are no message of their method. */
export const MALFORMED: Status = { code: Grpc.internal, message: FAULTS.malformed.text };
export const MALFORMED_IN_STREAM: Status = { code: Grpc.internal, message: FAULTS.malformedInStream.text };

export const DEADLINE_EXCEEDED: Status = { code: Grpc.deadlineExceeded, message: FAULTS.deadlineExceeded.text };

/** A unary call whose client ended its half without a message. */
export const NO_REQUEST: Status = { code: Grpc.unknown, message: "EOF" };

/** A call whose client ended its half in the middle of a message. */
export const TRUNCATED_REQUEST: Status = { code: Grpc.internal, message: "unexpected EOF" };

/** A unary call whose client sent another message. */
export const SECOND_REQUEST: Status = {
	code: Grpc.internal,
	message: "cardinality violation: received multiple request messages for a method that takes one",
};

export const MALFORMED_TIMEOUT: Status = { code: Grpc.internal, message: "malformed grpc-timeout" };

export function messageTooLarge(bytes: number, bytesMax: number): Status {
	return { code: Grpc.resourceExhausted, message: `grpc: received message larger than max (${bytes} vs. ${bytesMax})` };
}

/** Answer for a path that no handler stands behind. `services` are the full names of those that have at least one method. */
export function unknownMethod(path: string, services: ReadonlySet<string>): Status {
	return { code: Grpc.unimplemented, message: describeUnknown(path.startsWith("/") ? path.slice(1) : path, services) };
}

function describeUnknown(name: string, services: ReadonlySet<string>): string {
	const slash = name.lastIndexOf("/");
	if (slash < 0) return `malformed method name: ${JSON.stringify(`/${name}`)}`;
	const service = name.slice(0, slash);
	return services.has(service) ? `unknown method ${name.slice(slash + 1)} for service ${service}` : `unknown service ${service}`;
}

export function servicesOf(paths: Iterable<string>): ReadonlySet<string> {
	const services = new Set<string>();
	for (const path of paths) services.add(path.slice(1, path.lastIndexOf("/")));
	return services;
}
