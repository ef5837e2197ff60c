/** The standard gRPC health service: whether this process answers at all, whatever the quorum. */
import { grpcHealthV1 } from "@flotilla/api";
import type { MethodHandler } from "../front/seam.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { unary } from "./door.ts";

const { SERVING, SERVICE_UNKNOWN } = grpcHealthV1.HealthCheckResponse_ServingStatus;

export function healthService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	return [
		unary("/grpc.health.v1.Health/Check", deps, (call) => {
			if (grpcHealthV1.HealthCheckRequest.decode(call.request).service !== "") {
				call.fail(statusOf("unknownService"));
				return;
			}
			call.respond(grpcHealthV1.HealthCheckResponse.encode({ status: SERVING }));
		}),
		[
			"/grpc.health.v1.Health/Watch",
			{
				shape: "stream",
				clientStreams: false,
				serverStreams: true,
				// The status does not change while the process lives; the stream stays open until the client leaves.
				handle: (call) =>
					call.onMessage((request) => {
						const known = grpcHealthV1.HealthCheckRequest.decode(request).service === "";
						call.send(grpcHealthV1.HealthCheckResponse.encode({ status: known ? SERVING : SERVICE_UNKNOWN }));
					}),
			},
		],
	];
}
