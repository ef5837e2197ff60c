/** `flotilla bench compare`: the table of flotilla's goals beside etcd, or what users, TLS and metrics cost, measured here and now. */
import { print } from "@flotilla/server/internal";
import { besideEtcd, type Contender, compare, costs, nameOfContender } from "../compare/comparison.ts";
import { haveH2load } from "../compare/h2load.ts";
import { ROWS, type Row } from "../compare/rows.ts";
import { haveEtcd, Trio } from "../compare/trio.ts";
import {
	type CompareReport,
	compareLines,
	comparePage,
	describeLoad,
	describeMachine,
	describeOtherWork,
	describeSubject,
} from "../report/compare-report.ts";
import { type CostReport, costLines, costPage } from "../report/cost-report.ts";
import { rate } from "../report/units.ts";
import { aside, write } from "./load-command.ts";
import type { CompareCall } from "./options.ts";
import { Progress } from "./progress.ts";

export async function compareCommand(call: CompareCall): Promise<number> {
	if (call.rows.length === 1 && call.rows[0] === "list") {
		for (const { id, title } of ROWS) print(`${id.padEnd(20)} ${title}\n`);
		return 0;
	}
	const unknown = call.rows.find((id) => !ROWS.some((row) => row.id === id));
	if (unknown !== undefined) {
		process.stderr.write(`there is no row ${unknown}: flotilla bench compare --rows list\n`);
		return 2;
	}
	const contenders = contendersOf(call);
	const beside = call.equipments.length === 0;
	const otherWork = describeOtherWork();
	const notes: string[] = [
		describeSubject(),
		describeLoad("at the start"),
		...(otherWork === null ? [] : [otherWork]),
		...(!beside || haveEtcd() ? [] : ["etcd is not installed (Debian: etcd-server): there is nothing to compare with"]),
		...(haveH2load() ? [] : ["h2load is not installed (Debian: nghttp2-client): the own client carried all loads"]),
	];
	const rows = withNeeded(ROWS.filter(({ id }) => call.rows.length === 0 || call.rows.includes(id)));
	const progress = new Progress(process.stderr);
	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		process.once(signal, () => void Trio.disposeAll().then(() => process.kill(process.pid, signal)));
	}
	const { rounds, seconds, warmUpSeconds } = call;
	let failures = 0;
	const scraped = new Map<string, number>();
	const results = await compare(
		{ rounds, seconds, warmUpSeconds, rows, contenders },
		{
			begins: (round, row, who) => progress.say(`round ${round + 1}/${rounds}: ${row.id}, ${who}`),
			measured: (round, row, who, measured) => {
				progress.end();
				const bound = measured.clientBound ? "  client-bound" : "";
				process.stderr.write(
					`round ${round + 1}  ${row.id.padEnd(18)} ${who.padEnd(beside ? 9 : 18)} ${rate(measured.values.rate ?? 0).padStart(10)}/s${bound}\n`,
				);
			},
			failed: (round, row, who, error) => {
				progress.end();
				failures++;
				const text = `${row.id} failed on ${who} in round ${round + 1}: ${error.message}`;
				notes.push(text);
				process.stderr.write(`${text}\n`);
			},
			done: ({ name, scrapes, reads }) => {
				if (reads) scraped.set(name, (scraped.get(name) ?? 0) + scrapes);
			},
		},
	);
	for (const [name, times] of scraped) notes.push(`the metrics of ${name} were read ${times} times`);
	notes.push(describeLoad("at the end"));
	const about = { version: 1, rounds, seconds, warmUpSeconds, machine: describeMachine(), notes } as const;
	if (beside) {
		const report: CompareReport = { tool: "flotilla bench compare", ...about, values: besideEtcd(rows, results) };
		await tell(call, compareLines(report), report, comparePage(report));
	} else {
		const names = contenders.map(nameOfContender);
		const report: CostReport = { tool: "flotilla bench compare --with", ...about, names, values: costs(rows, results) };
		await tell(call, costLines(report), report, costPage(report));
	}
	return failures === 0 ? 0 : 1;
}

function contendersOf({ equipments }: CompareCall): readonly Contender[] {
	if (equipments.length > 0) return equipments.map((equipment) => ({ program: "flotilla", equipment }));
	const programs = haveEtcd() ? (["flotilla", "etcd"] as const) : (["flotilla"] as const);
	return programs.map((program) => ({ program, equipment: null }));
}

async function tell(call: CompareCall, lines: readonly string[], report: object, page: string): Promise<void> {
	(call.json === "-" ? aside : print)(`${lines.join("\n")}\n`);
	await write(call.json, `${JSON.stringify(report, null, "\t")}\n`);
	await write(call.html, page);
}

/** An open loop takes its pace from another row. */
function withNeeded(rows: readonly Row[]): readonly Row[] {
	const needed = new Set(rows.flatMap(({ measure }) => (measure.kind === "openLoop" ? [measure.of] : [])));
	return ROWS.filter((row) => rows.includes(row) || needed.has(row.id));
}
