import { readFileSync } from "node:fs";
import type { ReportData } from "./report-data.ts";

const TEMPLATE = new URL("./report-page.html", import.meta.url);
const VIEW = new URL("./report-view.js", import.meta.url);

/** One file that needs nothing else: the data stands in it. */
export function reportPage(data: ReportData): string {
	// "<" could end the script element early.
	const json = JSON.stringify(data).replaceAll("<", "\\u003c");
	const script = `"use strict";\nconst data = ${json};\n${readFileSync(VIEW, "utf8")}`;
	return readFileSync(TEMPLATE, "utf8").replace("/*VIEW*/", () => script);
}
