/**
 * The Auth service (etcd API, chapter 7). Changes are proposed and judged where they are applied; what only reads waits for the
 * barrier and is judged here.
 */
import { etcdserverpb } from "@flotilla/api";
import {
	type AuthCommand,
	type AuthCommandKind,
	authCommand,
	type Caller,
	CommandKind,
	encodeAuthCommand,
	type Permission,
	ROOT,
} from "@flotilla/replica";
import type { MethodHandler, UnaryCall } from "../../front/seam.ts";
import { headerOf, statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { unary } from "../door.ts";
import { afterBarrier, propose } from "../replicated.ts";
import { logIn } from "./login.ts";
import { type NewPassword, withHash } from "./new-password.ts";
import { NAME_BYTES_MAX, Passwords } from "./passwords.ts";

type Rows = ReadonlyArray<readonly [string, MethodHandler]>;
type Fields = Partial<Omit<AuthCommand, "kind">>;

const ROOT_PERMISSION = { permType: 2, key: new Uint8Array(0), rangeEnd: new Uint8Array(1) } as const;

export function authService(deps: ServiceDeps): Rows {
	const passwords = new Passwords(deps.credentials.passwords, deps.credentials.bcryptCost, deps.credentials.clock);
	return [
		unary("/etcdserverpb.Auth/Authenticate", deps, (call) => logIn(call, deps, passwords)),
		...stateCalls(deps),
		...userCalls(deps),
		...roleCalls(deps),
	];
}

function stateCalls(deps: ServiceDeps): Rows {
	return [
		unary("/etcdserverpb.Auth/AuthEnable", deps, (call) => change(deps, call, "enable", {}, etcdserverpb.AuthEnableResponse)),
		unary("/etcdserverpb.Auth/AuthDisable", deps, (call) => change(deps, call, "disable", {}, etcdserverpb.AuthDisableResponse)),
		unary("/etcdserverpb.Auth/AuthStatus", deps, (call) =>
			read(deps, call, asRoot, ({ member }) => {
				const { enabled, revision } = member.auth;
				return etcdserverpb.AuthStatusResponse.encode({ header: header(deps), enabled, authRevision: revision });
			}),
		),
	];
}

function userCalls(deps: ServiceDeps): Rows {
	return [
		unary("/etcdserverpb.Auth/UserAdd", deps, (call) => {
			const { name, password, options, hashedPassword } = etcdserverpb.AuthUserAddRequest.decode(call.request);
			const noPassword = options?.noPassword ?? false;
			if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
				call.fail(statusOf("invalidAuthManagement"));
				return;
			}
			const wanted: NewPassword = noPassword ? { kind: "none" } : { kind: "password", password, hashedPassword };
			withHash(deps, call, wanted, (passwordHash) =>
				change(deps, call, "userAdd", { user: name, passwordHash, noPassword }, etcdserverpb.AuthUserAddResponse),
			);
		}),
		unary("/etcdserverpb.Auth/UserChangePassword", deps, (call) => {
			const { name, password, hashedPassword } = etcdserverpb.AuthUserChangePasswordRequest.decode(call.request);
			// An empty one fits no log-in (etcd API 7.7).
			const wanted: NewPassword =
				password === "" && hashedPassword === "" ? { kind: "none" } : { kind: "password", password, hashedPassword };
			withHash(deps, call, wanted, (passwordHash) =>
				change(deps, call, "userChangePassword", { user: name, passwordHash }, etcdserverpb.AuthUserChangePasswordResponse),
			);
		}),
		unary("/etcdserverpb.Auth/UserDelete", deps, (call) => {
			const { name } = etcdserverpb.AuthUserDeleteRequest.decode(call.request);
			change(deps, call, "userDelete", { user: name }, etcdserverpb.AuthUserDeleteResponse);
		}),
		unary("/etcdserverpb.Auth/UserGrantRole", deps, (call) => {
			const { user, role } = etcdserverpb.AuthUserGrantRoleRequest.decode(call.request);
			change(deps, call, "userGrantRole", { user, role }, etcdserverpb.AuthUserGrantRoleResponse);
		}),
		unary("/etcdserverpb.Auth/UserRevokeRole", deps, (call) => {
			const { name, role } = etcdserverpb.AuthUserRevokeRoleRequest.decode(call.request);
			change(deps, call, "userRevokeRole", { user: name, role }, etcdserverpb.AuthUserRevokeRoleResponse);
		}),
		unary("/etcdserverpb.Auth/UserGet", deps, (call) => {
			const { name } = etcdserverpb.AuthUserGetRequest.decode(call.request);
			// Everybody may look at himself.
			const guard: Guard = (caller) => (caller.user === name ? null : asRoot(caller, deps));
			read(deps, call, guard, ({ member }) => {
				const user = member.auth.user(name);
				return user === undefined ? "userNotFound" : etcdserverpb.AuthUserGetResponse.encode({ header: header(deps), roles: user.roles });
			});
		}),
		unary("/etcdserverpb.Auth/UserList", deps, (call) =>
			read(deps, call, asRoot, ({ member }) =>
				etcdserverpb.AuthUserListResponse.encode({ header: header(deps), users: member.auth.userNames }),
			),
		),
	];
}

function roleCalls(deps: ServiceDeps): Rows {
	return [
		unary("/etcdserverpb.Auth/RoleAdd", deps, (call) => {
			const { name } = etcdserverpb.AuthRoleAddRequest.decode(call.request);
			change(deps, call, "roleAdd", { role: name }, etcdserverpb.AuthRoleAddResponse);
		}),
		unary("/etcdserverpb.Auth/RoleDelete", deps, (call) => {
			const { role } = etcdserverpb.AuthRoleDeleteRequest.decode(call.request);
			change(deps, call, "roleDelete", { role }, etcdserverpb.AuthRoleDeleteResponse);
		}),
		unary("/etcdserverpb.Auth/RoleGrantPermission", deps, (call) => {
			const { name, perm } = etcdserverpb.AuthRoleGrantPermissionRequest.decode(call.request);
			const permission = perm === null ? null : permissionOf(deps, perm.permType, perm.key, perm.rangeEnd);
			change(deps, call, "roleGrantPermission", { role: name, permission }, etcdserverpb.AuthRoleGrantPermissionResponse);
		}),
		unary("/etcdserverpb.Auth/RoleRevokePermission", deps, (call) => {
			const { role, key, rangeEnd } = etcdserverpb.AuthRoleRevokePermissionRequest.decode(call.request);
			const permission = permissionOf(deps, 0, key, rangeEnd);
			change(deps, call, "roleRevokePermission", { role, permission }, etcdserverpb.AuthRoleRevokePermissionResponse);
		}),
		unary("/etcdserverpb.Auth/RoleGet", deps, (call) => {
			const { role } = etcdserverpb.AuthRoleGetRequest.decode(call.request);
			// Everybody may look at the roles that he has.
			const guard: Guard = (caller) => (deps.member.auth.user(caller.user)?.roles.includes(role) === true ? null : asRoot(caller, deps));
			read(deps, call, guard, ({ member }) => {
				const known = member.auth.role(role);
				if (known === undefined) return "roleNotFound";
				const perm = role === ROOT ? [ROOT_PERMISSION] : known.permissions.map((each) => shown(deps, each));
				return etcdserverpb.AuthRoleGetResponse.encode({ header: header(deps), perm });
			});
		}),
		unary("/etcdserverpb.Auth/RoleList", deps, (call) =>
			read(deps, call, asRoot, ({ member }) =>
				etcdserverpb.AuthRoleListResponse.encode({ header: header(deps), roles: member.auth.roleNames }),
			),
		),
	];
}

type Fault = Parameters<typeof statusOf>[0];
type Guard = (caller: Caller, deps: ServiceDeps) => Fault | null;

function asRoot(caller: Caller, { member }: ServiceDeps): Fault | null {
	return member.auth.rootFault(caller);
}

/** Proposes a command; all responses of changes hold nothing but a header. */
function change(
	deps: ServiceDeps,
	call: UnaryCall,
	kind: AuthCommandKind,
	fields: Fields,
	response: { encode(message: { readonly header: ReturnType<typeof headerOf> }): Uint8Array },
): void {
	propose(deps, call, CommandKind.auth, encodeAuthCommand(authCommand(kind, fields)), () =>
		call.respond(response.encode({ header: header(deps) })),
	);
}

function read(deps: ServiceDeps, call: UnaryCall, guard: Guard, answer: (deps: ServiceDeps) => Uint8Array | Fault): void {
	const refuse = (fault: Fault): void => call.fail(statusOf(fault));
	afterBarrier(deps, call, () =>
		deps.callers.identify(
			call,
			({ caller }) => {
				const outcome = (deps.member.auth.enabled ? guard(caller, deps) : null) ?? answer(deps);
				if (typeof outcome === "string") refuse(outcome);
				else call.respond(outcome);
			},
			refuse,
		),
	);
}

function header({ member }: ServiceDeps): ReturnType<typeof headerOf> {
	return headerOf(member, member.store.revision);
}

function permissionOf({ bytes }: ServiceDeps, type: number, key: Uint8Array, rangeEnd: Uint8Array): Permission {
	return { type, key: bytes.latin1(key), rangeEnd: bytes.latin1(rangeEnd) };
}

function shown({ bytes }: ServiceDeps, { type, key, rangeEnd }: Permission): { permType: number; key: Uint8Array; rangeEnd: Uint8Array } {
	return { permType: type, key: bytes.fromLatin1(key), rangeEnd: bytes.fromLatin1(rangeEnd) };
}
