/** Who leads, as all members say it: asked at a steady pace, kept as intervals for the report. */
import { KvClient } from "../client/kv-client.ts";
import type { StageMember } from "./stage.ts";

const EVERY_MS = 100;
const PATIENCE_MS = 2_000;

export interface Tenure {
	readonly term: number;
	readonly member: string;
	readonly fromMs: number;
	/** The last moment at which the leader itself said so. */
	untilMs: number;
}

/**
 * Who says of himself that he leads a term. Etcd reads leader and term at two moments, and whoever loses its office between them
 * names the next leader's term as its own: there a member must have said it twice, the second time in an answer that was asked for
 * after the first had come.
 */
export class Claims {
	private readonly atOnce: boolean;
	private readonly first = new Map<string, { readonly term: number; readonly toldMs: number }>();

	/** `atOnce`: leader and term of an answer are of one moment. */
	constructor(atOnce: boolean) {
		this.atOnce = atOnce;
	}

	/** Whether it stands. `term` null: it says that it does not lead. */
	stands(member: string, term: number | null, askedMs: number, toldMs: number): boolean {
		const before = this.first.get(member);
		if (term === null) this.first.delete(member);
		else if (before?.term !== term) this.first.set(member, { term, toldMs });
		if (term === null) return false;
		return this.atOnce || (before?.term === term && before.toldMs <= askedMs);
	}
}

export class Observer {
	/** In the order in which they were seen. */
	readonly tenures: Tenure[] = [];
	readonly findings: string[] = [];
	private readonly members: readonly StageMember[];
	private readonly clients = new Map<StageMember, KvClient>();
	private timer: NodeJS.Timeout | null = null;

	private readonly claims: Claims;

	constructor(members: readonly StageMember[], program: "flotilla" | "etcd") {
		this.members = members;
		this.claims = new Claims(program === "flotilla");
	}

	start(): void {
		this.timer = setInterval(() => {
			for (const member of this.members) if (member.process.running) void this.ask(member);
		}, EVERY_MS);
	}

	stop(): void {
		if (this.timer !== null) clearInterval(this.timer);
		for (const client of this.clients.values()) client.close();
	}

	/** Leaders one after another: a change of the term's holder counts, the first one does not. */
	get elections(): number {
		return Math.max(0, this.tenures.length - 1);
	}

	private async ask(member: StageMember): Promise<void> {
		let client = this.clients.get(member);
		if (client === undefined) {
			client = new KvClient(member.address);
			this.clients.set(member, client);
		}
		try {
			const askedMs = performance.now();
			const { leader, header } = await client.status({ timeoutMs: PATIENCE_MS });
			const term = leader !== "0" && leader === header.member_id ? Number(header.raft_term) : null;
			if (this.claims.stands(member.name, term, askedMs, performance.now())) this.note(member, Number(header.raft_term));
		} catch {
			// Down, paused or busy: that is what the others are asked for.
		}
	}

	private note(member: StageMember, term: number): void {
		const nowMs = performance.now();
		const tenure = this.tenures.find((one) => one.term === term);
		if (tenure === undefined) this.tenures.push({ term, member: member.name, fromMs: nowMs, untilMs: nowMs });
		else if (tenure.member === member.name) tenure.untilMs = nowMs;
		else if (this.findings.length < 20) this.findings.push(`two leaders of term ${term}: ${tenure.member} and ${member.name}`);
	}
}
