import { FAULTS, type FaultCode, GrpcStatus } from "@flotilla/api";
import type { ResponseHeader } from "@flotilla/api/hot";
import type { CallFault } from "@flotilla/replica";
import type { GrpcCode, Status } from "../front/seam.ts";
import type { MemberPort } from "./member-port.ts";

type Statuses = Readonly<Record<FaultCode | CallFault, Status>>;

const STATUSES = statusesOf((grpc) => grpc);
const INNER_STATUSES = statusesOf((grpc) => (grpc === GrpcStatus.deadlineExceeded ? grpc : GrpcStatus.unknown));

/** The faults of the replica and of the key space are among the table's, by name. Always the same object for a fault. */
export function statusOf(code: FaultCode | CallFault): Status {
	return STATUSES[code];
}

/** The same of a call within a lock or an election: etcd loses the code there. */
export function innerStatus(code: FaultCode): Status {
	return INNER_STATUSES[code];
}

function statusesOf(codeOf: (grpc: number) => number): Statuses {
	const entries = Object.entries(FAULTS).map(([fault, { grpc, text }]) => [fault, { code: codeOf(grpc) as GrpcCode, message: text }]);
	return Object.fromEntries(entries) as Statuses;
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
