// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import { enumOf, message, one } from "../message/describe.ts";
import type { MessageType } from "../message/message-type.ts";
import type * as shapes from "./mvccpb.shapes.ts";

export const Event_EventType = {"PUT":0,"DELETE":1} as const;

export type KeyValue = shapes.KeyValue;
export const KeyValue: MessageType<shapes.KeyValue> = message("mvccpb.KeyValue", () => [
	one("key", 1, "bytes"),
	one("create_revision", 2, "int64"),
	one("mod_revision", 3, "int64"),
	one("version", 4, "int64"),
	one("value", 5, "bytes"),
	one("lease", 6, "int64Id"),
]);

export type Event = shapes.Event;
export const Event: MessageType<shapes.Event> = message("mvccpb.Event", () => [
	one("type", 1, enumOf(Event_EventType)),
	one("kv", 2, KeyValue),
	one("prev_kv", 3, KeyValue),
]);
