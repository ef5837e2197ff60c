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

export class Observer {
	/** In the order in which they were seen. */
	readonly tenures: Tenure[] = [];
	readonly findings: string[] = [];
	private readonly members: readonly StageMember[];
	private readonly clients = new Map<StageMember, KvClient>();
	private timer: NodeJS.Timeout | null = null;

	constructor(members: readonly StageMember[]) {
		this.members = members;
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
			const status = await client.status({ timeoutMs: PATIENCE_MS });
			if (status.leader !== "0" && status.leader === status.header.member_id) this.note(member, Number(status.header.raft_term));
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
