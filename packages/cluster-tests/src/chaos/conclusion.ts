/** From a record to a verdict, a report and words for people. */
import type { Check, Judgement } from "./judge.ts";
import { judge } from "./judge.ts";
import { reportData } from "./report-data.ts";
import type { ReportFolder } from "./report-folder.ts";
import { reportPage } from "./report-page.ts";
import type { RunRecord } from "./run.ts";

/** Says what was found, then writes report.html and report.json: without room for them it has been said all the same. */
export async function conclude(record: RunRecord, report: ReportFolder, say: (line: string) => void): Promise<Judgement> {
	const judgement = judge(record);
	const data = reportData(record, judgement);
	for (const line of data.summary) say(line);
	for (const check of judgement.checks) for (const line of inWords(check)) say(line);
	try {
		await report.write("report.json", JSON.stringify(data, null, "\t"));
		await report.write("report.html", reportPage(data));
	} catch (error) {
		await report.clear("report.json", "report.html");
		throw new Error(`verdict: ${judgement.verdict}; but the report cannot be written to ${report.path}: ${(error as Error).message}`, {
			cause: error,
		});
	}
	return judgement;
}

const INDENT = " ".repeat(9);

function* inWords({ name, verdict, promise, findings, drawing }: Check): Generator<string> {
	yield `${verdict.padEnd(INDENT.length - 1)} ${name}: ${promise}`;
	for (const line of [...findings, ...drawing]) yield `${INDENT}${line}`;
}
