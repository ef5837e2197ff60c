/** From a record to a verdict, a report and words for people. */
import type { Check, Judgement } from "./judge.ts";
import { judge } from "./judge.ts";
import { reportData } from "./report-data.ts";
import type { ReportFolder } from "./report-folder.ts";
import { reportPage } from "./report-page.ts";
import type { RunRecord } from "./run.ts";

/** Writes report.html and report.json, and says the verdict. */
export async function conclude(record: RunRecord, report: ReportFolder, say: (line: string) => void): Promise<Judgement> {
	const judgement = judge(record);
	const data = reportData(record, judgement);
	await report.write("report.json", JSON.stringify(data, null, "\t"));
	await report.write("report.html", reportPage(data));
	for (const line of data.summary) say(line);
	for (const check of judgement.checks) for (const line of inWords(check)) say(line);
	return judgement;
}

const INDENT = " ".repeat(9);

function* inWords({ name, verdict, promise, findings, drawing }: Check): Generator<string> {
	yield `${verdict.padEnd(INDENT.length - 1)} ${name}: ${promise}`;
	for (const line of [...findings, ...drawing]) yield `${INDENT}${line}`;
}
