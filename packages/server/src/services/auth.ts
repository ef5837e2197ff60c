/**
 * The Auth service while there is no user and no role: authentication is off, and every name is unknown. All of it is
 * answered as etcd answers in that state (etcd API, chapter 7); making a user or a role is not possible in this version.
 */
import { etcdserverpb, type FaultCode, METHODS } from "@flotilla/api";
import type { MethodHandler, UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { notServed, unary, unimplemented } from "./door.ts";
import { afterBarrier } from "./replicated.ts";

const FIRST_AUTH_REVISION = 1;

/** Refused whatever the request says, since what it names does not exist. */
const UNKNOWN_NAMES: Readonly<Record<string, FaultCode>> = {
	Authenticate: "authNotEnabled",
	AuthEnable: "rootUserNotExist",
	UserGet: "userNotFound",
	UserDelete: "userNotFound",
	UserChangePassword: "userNotFound",
	UserGrantRole: "userNotFound",
	UserRevokeRole: "userNotFound",
	RoleGet: "roleNotFound",
	RoleDelete: "roleNotFound",
	RoleRevokePermission: "roleNotFound",
};

export function authService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	const handlers = new Map(
		[...METHODS.values()].filter(({ service }) => service === "etcdserverpb.Auth").map(({ path }) => unimplemented(path)),
	);
	const add = (name: string, handle: (call: UnaryCall) => void): void => {
		const path = `/etcdserverpb.Auth/${name}`;
		handlers.set(...unary(path, deps, handle));
	};
	const header = () => headerOf(deps.member, deps.member.store.revision);

	for (const [name, fault] of Object.entries(UNKNOWN_NAMES)) {
		const request = METHODS.get(`/etcdserverpb.Auth/${name}`)?.request;
		add(name, (call) => {
			request?.decode(call.request);
			afterBarrier(deps, call, () => call.fail(statusOf(fault)));
		});
	}
	add("AuthStatus", (call) =>
		afterBarrier(deps, call, () =>
			call.respond(etcdserverpb.AuthStatusResponse.encode({ header: header(), enabled: false, authRevision: FIRST_AUTH_REVISION })),
		),
	);
	// Off already: nothing to do, and etcd says so with success.
	add("AuthDisable", (call) => afterBarrier(deps, call, () => call.respond(etcdserverpb.AuthDisableResponse.encode({ header: header() }))));
	add("UserList", (call) => afterBarrier(deps, call, () => call.respond(etcdserverpb.AuthUserListResponse.encode({ header: header() }))));
	add("RoleList", (call) => afterBarrier(deps, call, () => call.respond(etcdserverpb.AuthRoleListResponse.encode({ header: header() }))));
	add("UserAdd", (call) => {
		const { name } = etcdserverpb.AuthUserAddRequest.decode(call.request);
		call.fail(name === "" ? statusOf("userEmpty") : notServed(call.path));
	});
	add("RoleAdd", (call) => {
		const { name } = etcdserverpb.AuthRoleAddRequest.decode(call.request);
		call.fail(name === "" ? statusOf("roleEmpty") : notServed(call.path));
	});
	add("RoleGrantPermission", (call) => {
		const { perm } = etcdserverpb.AuthRoleGrantPermissionRequest.decode(call.request);
		afterBarrier(deps, call, () => call.fail(statusOf(perm === null ? "permissionNotGiven" : "roleNotFound")));
	});
	return [...handlers];
}
