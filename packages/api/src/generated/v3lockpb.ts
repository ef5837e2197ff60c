// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import { message, one } from "../message/describe.ts";
import type { MessageType } from "../message/message-type.ts";
import * as etcdserverpb from "./etcdserverpb.ts";
import type * as shapes from "./v3lockpb.shapes.ts";

export type LockRequest = shapes.LockRequest;
export const LockRequest: MessageType<shapes.LockRequest> = message("v3lockpb.LockRequest", () => [
	one("name", 1, "bytes"),
	one("lease", 2, "int64Id"),
]);

export type LockResponse = shapes.LockResponse;
export const LockResponse: MessageType<shapes.LockResponse> = message("v3lockpb.LockResponse", () => [
	one("header", 1, etcdserverpb.ResponseHeader),
	one("key", 2, "bytes"),
]);

export type UnlockRequest = shapes.UnlockRequest;
export const UnlockRequest: MessageType<shapes.UnlockRequest> = message("v3lockpb.UnlockRequest", () => [
	one("key", 1, "bytes"),
]);

export type UnlockResponse = shapes.UnlockResponse;
export const UnlockResponse: MessageType<shapes.UnlockResponse> = message("v3lockpb.UnlockResponse", () => [
	one("header", 1, etcdserverpb.ResponseHeader),
]);
