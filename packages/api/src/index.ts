/**
 * The etcd v3 protocol: messages, codecs, methods and error texts. Knows nothing of servers, stores or HTTP/2.
 *
 * The messages of the hot calls have hand-written codecs (`createHotCodec`). All messages, those included, are described in
 * one namespace for each proto package: `etcdserverpb.StatusResponse` is both the type and its codec.
 */
export type { Fault, FaultCode } from "./faults.ts";
export { FAULTS, WATCH_CANCEL_REASONS } from "./faults.ts";
export * as authpb from "./generated/authpb.ts";
export * as etcdserverpb from "./generated/etcdserverpb.ts";
export * as grpcHealthV1 from "./generated/grpc-health-v1.ts";
export * as mvccpb from "./generated/mvccpb.ts";
export * as v3electionpb from "./generated/v3electionpb.ts";
export * as v3lockpb from "./generated/v3lockpb.ts";
export { GrpcStatus } from "./grpc-status.ts";
export type * from "./hot/index.ts";
export { createHotCodec, decodeKeyValue, decodeKeyValueEvent } from "./hot/index.ts";
export { JsonError } from "./message/json-read.ts";
export type { MessageType } from "./message/message-type.ts";
export type { FieldType, MessageTable, Shape } from "./message/table.ts";
export type { AccessClass, Method, MethodShape, RpcPath } from "./methods.ts";
export { METHODS } from "./methods.ts";
