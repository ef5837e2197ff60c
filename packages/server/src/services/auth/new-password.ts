/** The hash of a new password: computed off the loop before anything is proposed, so that the log holds nothing else of it. */
import type { UnaryCall } from "../../front/seam.ts";
import { statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { afterBarrier } from "../replicated.ts";
import { PASSWORD_BYTES_MAX } from "./passwords.ts";

export type NewPassword =
	| { readonly kind: "none" }
	/** `hashedPassword`: base64 of a bcrypt hash, or empty. Counts where there is no password. */
	| { readonly kind: "password"; readonly password: string; readonly hashedPassword: string };

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const COST_MIN = 4;
/** A hash that comes ready made costs every log-in its work: some five seconds at most. */
const GIVEN_COST_MAX = 16;

/**
 * Hands over the hash; empty without a password. Whoever may not administrate is sent away before any work is done, under a
 * barrier, so that a right that was given a moment ago counts.
 */
export function withHash(deps: ServiceDeps, call: UnaryCall, wanted: NewPassword, proceed: (passwordHash: string) => void): void {
	if (wanted.kind === "none") {
		proceed("");
		return;
	}
	const { password, hashedPassword } = wanted;
	if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) {
		call.fail(statusOf("passwordTooLong"));
		return;
	}
	// Deviation: etcd overwrites a hash that a client sends; here users can be brought along without knowing their passwords.
	if (password === "" && hashedPassword !== "") {
		const given = Buffer.from(hashedPassword, "base64").toString("latin1");
		if (isHash(given)) proceed(given);
		else call.fail(statusOf("invalidAuthManagement"));
		return;
	}
	let gone = false;
	call.onCancel(() => {
		gone = true;
	});
	const hash = (): void => {
		const { passwords, bcryptCost } = deps.credentials;
		passwords.hash(password, bcryptCost, (passwordHash) => {
			if (gone) return;
			if (passwordHash === null) call.fail(statusOf("tooManyRequests"));
			else proceed(passwordHash);
		});
	};
	afterBarrier(deps, call, () => deps.callers.admit("root", call, hash, (fault) => call.fail(statusOf(fault))));
}

function isHash(text: string): boolean {
	const cost = Number(BCRYPT_HASH.exec(text)?.[1] ?? 0);
	return cost >= COST_MIN && cost <= GIVEN_COST_MAX;
}
