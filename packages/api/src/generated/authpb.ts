// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import { enumOf, many, message, one } from "../message/describe.ts";
import type { MessageType } from "../message/message-type.ts";
import type * as shapes from "./authpb.shapes.ts";

export const Permission_Type = {"READ":0,"WRITE":1,"READWRITE":2} as const;

export type UserAddOptions = shapes.UserAddOptions;
export const UserAddOptions: MessageType<shapes.UserAddOptions> = message("authpb.UserAddOptions", () => [
	one("no_password", 1, "bool"),
]);

export type User = shapes.User;
export const User: MessageType<shapes.User> = message("authpb.User", () => [
	one("name", 1, "bytes"),
	one("password", 2, "bytes"),
	many("roles", 3, "string"),
	one("options", 4, UserAddOptions),
]);

export type Permission = shapes.Permission;
export const Permission: MessageType<shapes.Permission> = message("authpb.Permission", () => [
	one("permType", 1, enumOf(Permission_Type)),
	one("key", 2, "bytes"),
	one("range_end", 3, "bytes"),
]);

export type Role = shapes.Role;
export const Role: MessageType<shapes.Role> = message("authpb.Role", () => [
	one("name", 1, "bytes"),
	many("keyPermission", 2, Permission),
]);
