import type { LocalMember, LocalStatus } from "./local-member.ts";

type Output = Pick<NodeJS.WriteStream, "write" | "isTTY">;

const HEAD = ["NAME", "ID", "ENDPOINT", "ROLE", "TERM", "REVISION"];

/** The members as a table: redrawn in place on a terminal, as a line for each change elsewhere. */
export class LocalTable {
	private readonly members: readonly LocalMember[];
	private readonly output: Output;
	private readonly ids = new Map<LocalMember, string>();
	private statuses: ReadonlyMap<LocalMember, LocalStatus | null> = new Map();
	private drawn = "";
	/** Lines printed below the table since it was drawn first; told by whoever prints them. */
	linesBelow = 0;

	constructor(members: readonly LocalMember[], output: Output) {
		this.members = members;
		this.output = output;
	}

	async refresh(): Promise<void> {
		const statuses = await Promise.all(this.members.map((member) => (member.running ? member.status() : null)));
		this.statuses = new Map(this.members.map((member, at) => [member, statuses[at] ?? null]));
		for (const [member, status] of this.statuses) if (status !== null) this.ids.set(member, status.id.toString(16));
	}

	leader(): LocalMember | null {
		for (const [member, status] of this.statuses) if (status?.leads) return member;
		return null;
	}

	draw(): void {
		if (this.output.isTTY) this.redraw();
		else this.printChanges();
	}

	/** What follows is printed below the table. */
	leave(): void {
		if (this.output.isTTY && this.drawn !== "") this.output.write("\n");
	}

	/** Goes up to where the table was drawn, writes it anew, and comes back. */
	private redraw(): void {
		const text = this.rows().join("\n");
		if (text === this.drawn) return;
		const first = this.drawn === "";
		this.drawn = text;
		if (first) this.output.write(`${text}\n`);
		else
			this.output.write(
				`\u001b7\u001b[${this.linesBelow + this.members.length + 1}A\r${text.replaceAll("\n", "\u001b[K\n")}\u001b[K\u001b8`,
			);
	}

	private printChanges(): void {
		const text = this.members.map((member) => `${member.row.name}: ${this.role(member)}`).join(", ");
		if (text === this.drawn) return;
		if (this.drawn === "") this.output.write(`${this.rows().join("\n")}\n`);
		else this.output.write(`${text}\n`);
		this.drawn = text;
	}

	private rows(): string[] {
		const cells = [HEAD, ...this.members.map((member) => this.cellsOf(member))];
		const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => (row[column] as string).length)));
		return cells.map((row) =>
			row
				.map((cell, column) => cell.padEnd(widths[column] as number))
				.join("  ")
				.trimEnd(),
		);
	}

	private cellsOf(member: LocalMember): string[] {
		const status = this.statuses.get(member) ?? null;
		const numbers = status === null ? ["-", "-"] : [String(status.term), String(status.revision)];
		return [member.row.name, this.ids.get(member) ?? "-", member.endpoint, this.role(member), ...numbers];
	}

	private role(member: LocalMember): string {
		if (!member.running) return "down";
		const status = this.statuses.get(member) ?? null;
		if (status === null) return "no answer";
		if (status.leads) return "leader";
		return status.hasLeader ? "follower" : "no leader";
	}
}
