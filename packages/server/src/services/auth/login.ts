/** Authenticate (etcd API 7.3): the barrier, the password off the loop, then a token that all members know, or a signed one. */
import { etcdserverpb, type FaultCode } from "@flotilla/api";
import { authCommand, CommandKind, encodeAuthCommand, NOBODY } from "@flotilla/replica";
import type { UnaryCall } from "../../front/seam.ts";
import { headerOf, statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { afterBarrier, submit } from "../replicated.ts";
import { NAME_BYTES_MAX, type Passwords } from "./passwords.ts";
import { addressOf } from "./peer-address.ts";

/** Users and roles may change while a password is checked: then it is checked again, so often. */
const ATTEMPTS_MAX = 5;

interface Attempt {
	readonly call: UnaryCall;
	readonly deps: ServiceDeps;
	readonly passwords: Passwords;
	readonly name: string;
	readonly password: string;
	gone: boolean;
	left: number;
}

export function logIn(call: UnaryCall, deps: ServiceDeps, passwords: Passwords): void {
	const { name, password } = etcdserverpb.AuthenticateRequest.decode(call.request);
	const attempt: Attempt = { call, deps, passwords, name, password, gone: false, left: ATTEMPTS_MAX };
	call.onCancel(() => {
		attempt.gone = true;
	});
	afterBarrier(deps, call, () => checkPassword(attempt));
}

function checkPassword(attempt: Attempt): void {
	const { call, deps, passwords, name, password } = attempt;
	const { auth } = deps.member;
	if (!auth.enabled) {
		call.fail(statusOf("authNotEnabled"));
		return;
	}
	// Nobody has it, and guesses are counted by name: longer ones would be kept without having cost anything.
	if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
		call.fail(statusOf("authFailed"));
		return;
	}
	const user = auth.user(name);
	const checkedRevision = auth.revision;
	passwords.check(name, user, password, addressOf(call.peer), (verdict) => {
		if (attempt.gone) return;
		if (verdict === "tooMany") call.fail(statusOf("tooManyPasswords"));
		// After the work: how long the answer takes must not tell more than the answer does.
		else if (user?.noPassword === true) call.fail(statusOf("noPasswordUser"));
		else if (verdict === "wrong") call.fail(statusOf("authFailed"));
		else issue(attempt, checkedRevision);
	});
}

function issue(attempt: Attempt, checkedRevision: number): void {
	const { call, deps, name } = attempt;
	const made = deps.credentials.tokens.make(name, checkedRevision);
	if (made.kind === "refused") {
		call.fail(statusOf(made.fault));
		return;
	}
	if (made.kind === "signed") {
		if (deps.member.auth.enabled && deps.member.auth.revision === checkedRevision) answer(attempt, made.token);
		else again(attempt, "authOldRevision");
		return;
	}
	const payload = encodeAuthCommand(authCommand("authenticate", { user: name, tokenHash: made.hash, checkedRevision }));
	submit(deps, call, { kind: CommandKind.auth, payload, caller: NOBODY }, (outcome) => {
		if (outcome.ok) answer(attempt, `${made.letters}.${outcome.index}`);
		else if (outcome.fault === "authOldRevision") again(attempt, outcome.fault);
		else call.fail(statusOf(outcome.fault));
	});
}

function again(attempt: Attempt, fault: FaultCode): void {
	if (--attempt.left > 0) checkPassword(attempt);
	else attempt.call.fail(statusOf(fault));
}

function answer({ call, deps: { member } }: Attempt, token: string): void {
	call.respond(etcdserverpb.AuthenticateResponse.encode({ header: headerOf(member, member.store.revision), token }));
}
