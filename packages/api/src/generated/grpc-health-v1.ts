// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import { enumOf, message, one } from "../message/describe.ts";
import type { MessageType } from "../message/message-type.ts";
import type * as shapes from "./grpc-health-v1.shapes.ts";

export const HealthCheckResponse_ServingStatus = {"UNKNOWN":0,"SERVING":1,"NOT_SERVING":2,"SERVICE_UNKNOWN":3} as const;

export type HealthCheckRequest = shapes.HealthCheckRequest;
export const HealthCheckRequest: MessageType<shapes.HealthCheckRequest> = message("grpc.health.v1.HealthCheckRequest", () => [
	one("service", 1, "string"),
]);

export type HealthCheckResponse = shapes.HealthCheckResponse;
export const HealthCheckResponse: MessageType<shapes.HealthCheckResponse> = message("grpc.health.v1.HealthCheckResponse", () => [
	one("status", 1, enumOf(HealthCheckResponse_ServingStatus)),
]);
