import { FAULTS, type FaultCode, GrpcStatus } from "@flotilla/api";
import type { ResponseHeader } from "@flotilla/api/hot";
import type { CallFault } from "@flotilla/replica";
import type { GrpcCode, Status } from "../front/seam.ts";
import type { MemberPort } from "./member-port.ts";

/** The faults of the replica and of the key space are among the table's, by name. */
export function statusOf(code: FaultCode | CallFault): Status {
	const { grpc, text } = FAULTS[code];
	return { code: grpc as GrpcCode, message: text };
}

/** Who answers, at which revision, in which durable term. */
export function headerOf(member: MemberPort, revision: number): ResponseHeader {
	return { clusterId: member.clusterId, memberId: member.memberId, revision, raftTerm: member.durableTerm };
}

/** A whole status in the words of Go's client library, as etcd puts it into reasons. */
export function statusText(code: FaultCode): string {
	const { grpc, text } = FAULTS[code];
	const [name = "unknown"] = Object.entries(GrpcStatus).find(([, value]) => value === grpc) ?? [];
	return `rpc error: code = ${name.charAt(0).toUpperCase()}${name.slice(1)} desc = ${text}`;
}
