/**
 * Who makes a call, and whether that may be: the one door through which every call passes, at the place in the order of checks
 * where its handler asks (etcd API 0.4). While authentication is off it costs one look at a flag.
 */
import type { FaultCode } from "@flotilla/api";
import { type Caller, NOBODY } from "@flotilla/replica";
import type { CallContext } from "../../front/seam.ts";
import type { MemberPort } from "../member-port.ts";
import type { Credentials } from "./credentials.ts";
import type { TokenAnswer } from "./token-provider.ts";
import { WaitingCallers } from "./waiting-callers.ts";

const PREFIX = "Bearer ";

/** `fresh`: see `TokenAnswer`. */
export interface Identity {
	readonly caller: Caller;
	readonly fresh: boolean;
}

const ANONYMOUS: Identity = { caller: NOBODY, fresh: false };

export interface CallerWorld {
	readonly member: MemberPort;
	readonly credentials: Credentials;
	readonly afterTicks: (ticks: number, work: () => void) => void;
}

export class Callers {
	private readonly world: CallerWorld;
	private readonly waiting: WaitingCallers;

	constructor(world: CallerWorld) {
		const { member, afterTicks } = world;
		this.world = world;
		this.waiting = new WaitingCallers({ tickMs: member.tickMs, afterTicks, appliedIndex: () => member.status().appliedIndex });
	}

	/** Hands over who calls, mostly before it returns; or refuses, when the call's token is no good. */
	identify(call: CallContext, proceed: (identity: Identity) => void, refuse: (fault: FaultCode) => void): void {
		const { member, credentials } = this.world;
		if (!member.auth.enabled) {
			proceed(ANONYMOUS);
			return;
		}
		const token = call.metadata("token") ?? call.metadata("authorization");
		if (token === undefined) {
			proceed(this.byCertificate(call));
			return;
		}
		const bare = token.startsWith(PREFIX) ? token.slice(PREFIX.length) : token;
		const answer = credentials.tokens.read(bare, member.auth);
		if (answer.kind === "later") this.wait(call, bare, answer.index, proceed, refuse);
		else settle(answer, proceed, refuse);
	}

	/** The same for calls that need no more than some caller, or the role root, whatever they ask for. */
	admit(need: "user" | "root", call: CallContext, proceed: () => void, refuse: (fault: FaultCode) => void): void {
		const { auth } = this.world.member;
		if (!auth.enabled) {
			proceed();
			return;
		}
		this.identify(
			call,
			({ caller }) => {
				const fault = need === "root" ? auth.rootFault(caller) : auth.userFault(caller);
				if (fault === null) proceed();
				else refuse(fault);
			},
			refuse,
		);
	}

	private byCertificate(call: CallContext): Identity {
		const { member, credentials } = this.world;
		const user = call.commonName;
		// A gateway's own certificate says nothing of whoever it speaks for.
		if (!credentials.certificateNames || user === undefined || user === "") return ANONYMOUS;
		if (call.metadata("grpcgateway-accept") !== undefined) return ANONYMOUS;
		return { caller: { user, authRevision: member.auth.revision }, fresh: true };
	}

	private wait(
		call: CallContext,
		token: string,
		index: number,
		proceed: (identity: Identity) => void,
		refuse: (fault: FaultCode) => void,
	): void {
		const { member, credentials } = this.world;
		const forget = this.waiting.add({
			...{ peer: call.peer, index, remainingMs: call.remainingMs },
			known() {
				// Authentication may have gone off meanwhile.
				if (!member.auth.enabled) proceed(ANONYMOUS);
				else settle(credentials.tokens.read(token, member.auth), proceed, refuse);
			},
			lost: () => refuse("invalidAuthToken"),
		});
		if (forget !== null) call.onCancel(forget);
	}
}

function settle(answer: TokenAnswer, proceed: (identity: Identity) => void, refuse: (fault: FaultCode) => void): void {
	if (answer.kind === "caller") proceed(answer);
	else refuse("invalidAuthToken");
}
