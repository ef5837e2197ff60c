/** A scripted member with users: root, and ann, who may do everything with the keys from a to b (excluded). */
import { etcdserverpb as pb } from "@flotilla/api";
import { type AuthCommand, authCommand, encodeAuthCommand, MEMBER_ITSELF } from "@flotilla/replica";
import { expect } from "vitest";
import type { ServiceHouse } from "./scripted-member.ts";

const AUTHENTICATE = "/etcdserverpb.Auth/Authenticate";

/** Carries out a command on users and roles as the log would bring it. */
export function order(house: ServiceHouse, kind: AuthCommand["kind"], fields: Partial<AuthCommand> = {}): void {
	expect(house.member.users.apply(encodeAuthCommand(authCommand(kind, fields)), MEMBER_ITSELF, 1)).toBe("changed");
	house.member.tellAuthChange();
}

export function enable(house: ServiceHouse): void {
	for (const user of ["root", "ann"]) order(house, "userAdd", { user, passwordHash: `plain 10 ${user}'s` });
	order(house, "userGrantRole", { user: "root", role: "root" });
	order(house, "roleAdd", { role: "as" });
	order(house, "roleGrantPermission", { role: "as", permission: { type: 2, key: "a", rangeEnd: "b" } });
	order(house, "userGrantRole", { user: "ann", role: "as" });
	order(house, "enable");
}

export function login(name: string, password: string): Uint8Array {
	return pb.AuthenticateRequest.encode({ name, password });
}

export async function tokenOf(house: ServiceHouse, name: string): Promise<string> {
	return pb.AuthenticateResponse.decode(await house.ok(AUTHENTICATE, login(name, `${name}'s`))).token;
}
