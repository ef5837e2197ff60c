/** The Auth service while authentication cannot be switched on: its truthful answers (etcd API, chapter 7). */
import { etcdserverpb, METHODS } from "@flotilla/api";
import type { MethodHandler } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { unary, unimplemented } from "./door.ts";
import { afterBarrier } from "./replicated.ts";

export function authService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	const { member } = deps;
	const answered = [
		unary("/etcdserverpb.Auth/AuthStatus", deps, (call) =>
			call.respond(
				etcdserverpb.AuthStatusResponse.encode({ header: headerOf(member, member.store.revision), enabled: false, authRevision: 1 }),
			),
		),
		unary("/etcdserverpb.Auth/Authenticate", deps, (call) => afterBarrier(deps, call, () => call.fail(statusOf("authNotEnabled")))),
	];
	const paths = new Set(answered.map(([path]) => path));
	const rest = [...METHODS.values()].filter(({ service, path }) => service === "etcdserverpb.Auth" && !paths.has(path));
	return [...answered, ...rest.map(({ path }) => unimplemented(path))];
}
