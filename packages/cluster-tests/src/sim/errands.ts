import { etcdserverpb } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { Fleet } from "./fleet.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a call about the members came to. */
export type CallOutcome =
	| { readonly kind: "ok"; readonly bytes: Uint8Array }
	| { readonly kind: "refused"; readonly message: string }
	/** Nobody answered: it may have happened, or happen yet. */
	| { readonly kind: "unknown" };

const TIMEOUT_MS = 3_000;
const PAUSE_US = 300_000;

/** Calls of the Cluster service as an operator makes them: through whomever serves, again and again until the outcome is known. */
export class Errands {
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly fleet: Fleet;

	constructor(time: VirtualTime, dice: Dice, fleet: Fleet) {
		this.time = time;
		this.dice = dice;
		this.fleet = fleet;
	}

	/** `done` when it was removed, by this request or another one. */
	remove(id: NodeId, done: () => void): void {
		this.until("MemberRemove", etcdserverpb.MemberRemoveRequest.encode({ ID: id }), (outcome) => {
			if (outcome.kind === "unknown") return "again";
			if (outcome.kind === "refused" && !outcome.message.includes("member not found")) return "again";
			done();
			return "over";
		});
	}

	/** `done` with the id that the cluster gave to whoever has these URLs. */
	add(peerURLs: readonly string[], isLearner: boolean, done: (id: NodeId) => void): void {
		this.until("MemberAdd", etcdserverpb.MemberAddRequest.encode({ peerURLs: [...peerURLs], isLearner }), (outcome) => {
			// The answer may be lost for ever: a voter that was added and does not run can be what keeps the others from answering.
			const id = outcome.kind === "ok" ? etcdserverpb.MemberAddResponse.decode(outcome.bytes).member?.ID : this.fleet.idOf(peerURLs);
			if (id === undefined) return "again";
			done(id);
			return "over";
		});
	}

	/** `done` when it is a voter. `stillWanted`: asked before each try; false ends the errand, whatever an earlier try may bring. */
	promote(id: NodeId, stillWanted: () => boolean, done: (promoted: boolean) => void): void {
		this.until("MemberPromote", etcdserverpb.MemberPromoteRequest.encode({ ID: id }), (outcome) => {
			const promoted = outcome.kind === "ok" || (outcome.kind === "refused" && outcome.message.endsWith("promote a learner member"));
			if (!promoted && stillWanted()) return "again";
			done(promoted);
			return "over";
		});
	}

	update(id: NodeId, peerURLs: readonly string[], done: () => void): void {
		this.until("MemberUpdate", etcdserverpb.MemberUpdateRequest.encode({ ID: id, peerURLs: [...peerURLs] }), (outcome) => {
			if (outcome.kind !== "ok") return "again";
			done();
			return "over";
		});
	}

	private until(method: string, request: Uint8Array, judge: (outcome: CallOutcome) => "again" | "over"): void {
		const ask = (): void => {
			this.call(`/etcdserverpb.Cluster/${method}`, request, (outcome) => {
				if (judge(outcome) === "again") this.time.after(PAUSE_US, ask);
			});
		};
		ask();
	}

	private call(path: string, request: Uint8Array, done: (outcome: CallOutcome) => void): void {
		const { serving } = this.fleet;
		if (serving.length === 0) {
			this.time.after(PAUSE_US, () => done({ kind: "unknown" }));
			return;
		}
		let over = false;
		const once = (outcome: CallOutcome): void => {
			if (over) return;
			over = true;
			done(outcome);
		};
		const cancel = this.dice.pick(serving).call(path, request, TIMEOUT_MS, {
			respond: (bytes) => once({ kind: "ok", bytes }),
			fail: ({ message }) => once({ kind: "refused", message }),
			gone: () => once({ kind: "unknown" }),
		});
		this.time.after(TIMEOUT_MS * 1_000, () => {
			if (over) return;
			cancel();
			once({ kind: "unknown" });
		});
	}
}
