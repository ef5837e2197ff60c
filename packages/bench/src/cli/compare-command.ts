/** `flotilla bench compare`: the table of flotilla's goals beside etcd, measured here and now. */
import { compare } from "../compare/comparison.ts";
import { haveH2load } from "../compare/h2load.ts";
import { ROWS, type Row } from "../compare/rows.ts";
import { haveEtcd, type Program, Trio } from "../compare/trio.ts";
import { type CompareReport, compareLines, comparePage, describeMachine, describeOtherWork } from "../report/compare-report.ts";
import { rate } from "../report/units.ts";
import { write } from "./load-command.ts";
import type { CompareCall } from "./options.ts";
import { Progress } from "./progress.ts";

export async function compareCommand(call: CompareCall): Promise<number> {
	if (call.rows.length === 1 && call.rows[0] === "list") {
		for (const { id, title } of ROWS) process.stdout.write(`${id.padEnd(20)} ${title}\n`);
		return 0;
	}
	const unknown = call.rows.find((id) => !ROWS.some((row) => row.id === id));
	if (unknown !== undefined) {
		process.stderr.write(`there is no row ${unknown}: flotilla bench compare --rows list\n`);
		return 2;
	}
	const programs: Program[] = haveEtcd() ? ["flotilla", "etcd"] : ["flotilla"];
	const otherWork = describeOtherWork();
	const notes: string[] = [
		...(otherWork === null ? [] : [otherWork]),
		...(haveEtcd() ? [] : ["etcd is not installed (Debian: etcd-server): there is nothing to compare with"]),
		...(haveH2load() ? [] : ["h2load is not installed (Debian: nghttp2-client): the own client carried all loads"]),
	];
	const rows = withNeeded(ROWS.filter(({ id }) => call.rows.length === 0 || call.rows.includes(id)));
	const progress = new Progress(process.stderr);
	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		process.once(signal, () => void Trio.disposeAll().then(() => process.kill(process.pid, signal)));
	}
	const { rounds, seconds, warmUpSeconds } = call;
	let failures = 0;
	const values = await compare(
		{ rounds, seconds, warmUpSeconds, rows, programs },
		{
			begins: (round, row, program) => progress.say(`round ${round + 1}/${rounds}: ${row.id}, ${program}`),
			measured: (round, row, program, measured) => {
				progress.end();
				const bound = measured.clientBound ? "  client-bound" : "";
				process.stderr.write(
					`round ${round + 1}  ${row.id.padEnd(18)} ${program.padEnd(9)} ${rate(measured.values.rate ?? 0).padStart(10)}/s${bound}\n`,
				);
			},
			failed: (round, row, program, error) => {
				progress.end();
				failures++;
				const text = `${row.id} failed on ${program} in round ${round + 1}: ${error.message}`;
				notes.push(text);
				process.stderr.write(`${text}\n`);
			},
		},
	);
	const report: CompareReport = {
		tool: "flotilla bench compare",
		version: 1,
		rounds,
		seconds,
		warmUpSeconds,
		machine: describeMachine(),
		notes,
		values,
	};
	(call.json === "-" ? process.stderr : process.stdout).write(`${compareLines(report).join("\n")}\n`);
	await write(call.json, `${JSON.stringify(report, null, "\t")}\n`);
	await write(call.html, comparePage(report));
	return failures === 0 ? 0 : 1;
}

/** An open loop takes its pace from another row. */
function withNeeded(rows: readonly Row[]): readonly Row[] {
	const needed = new Set(rows.flatMap(({ measure }) => (measure.kind === "openLoop" ? [measure.of] : [])));
	return ROWS.filter((row) => rows.includes(row) || needed.has(row.id));
}
