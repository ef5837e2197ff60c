// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import { message, one } from "../message/describe.ts";
import type { MessageType } from "../message/message-type.ts";
import * as etcdserverpb from "./etcdserverpb.ts";
import * as mvccpb from "./mvccpb.ts";
import type * as shapes from "./v3electionpb.shapes.ts";

export type CampaignRequest = shapes.CampaignRequest;
export const CampaignRequest: MessageType<shapes.CampaignRequest> = message("v3electionpb.CampaignRequest", () => [
	one("name", 1, "bytes"),
	one("lease", 2, "int64Id"),
	one("value", 3, "bytes"),
]);

export type CampaignResponse = shapes.CampaignResponse;
export const CampaignResponse: MessageType<shapes.CampaignResponse> = message("v3electionpb.CampaignResponse", () => [
	one("header", 1, etcdserverpb.ResponseHeader),
	one("leader", 2, LeaderKey),
]);

export type LeaderKey = shapes.LeaderKey;
export const LeaderKey: MessageType<shapes.LeaderKey> = message("v3electionpb.LeaderKey", () => [
	one("name", 1, "bytes"),
	one("key", 2, "bytes"),
	one("rev", 3, "int64"),
	one("lease", 4, "int64Id"),
]);

export type LeaderRequest = shapes.LeaderRequest;
export const LeaderRequest: MessageType<shapes.LeaderRequest> = message("v3electionpb.LeaderRequest", () => [
	one("name", 1, "bytes"),
]);

export type LeaderResponse = shapes.LeaderResponse;
export const LeaderResponse: MessageType<shapes.LeaderResponse> = message("v3electionpb.LeaderResponse", () => [
	one("header", 1, etcdserverpb.ResponseHeader),
	one("kv", 2, mvccpb.KeyValue),
]);

export type ResignRequest = shapes.ResignRequest;
export const ResignRequest: MessageType<shapes.ResignRequest> = message("v3electionpb.ResignRequest", () => [
	one("leader", 1, LeaderKey),
]);

export type ResignResponse = shapes.ResignResponse;
export const ResignResponse: MessageType<shapes.ResignResponse> = message("v3electionpb.ResignResponse", () => [
	one("header", 1, etcdserverpb.ResponseHeader),
]);

export type ProclaimRequest = shapes.ProclaimRequest;
export const ProclaimRequest: MessageType<shapes.ProclaimRequest> = message("v3electionpb.ProclaimRequest", () => [
	one("leader", 1, LeaderKey),
	one("value", 2, "bytes"),
]);

export type ProclaimResponse = shapes.ProclaimResponse;
export const ProclaimResponse: MessageType<shapes.ProclaimResponse> = message("v3electionpb.ProclaimResponse", () => [
	one("header", 1, etcdserverpb.ResponseHeader),
]);
