/**
 * `npm run big-snapshot -- [MiB]`: a store of 1 GiB (or so many MiB) is sent to a new member under load. Exit status 1 if that
 * cost an election, or the states differ.
 */
import { transferReport } from "./transfer.ts";

const mebibytes = Number(process.argv[2] ?? 1_024);
if (!(mebibytes >= 1)) {
	console.error("npm run big-snapshot -- [MiB]");
	process.exit(2);
}
const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

const report = await transferReport(mebibytes * 2 ** 20, (text) => console.log(text));
const rate = report.sentBytes / 2 ** 20 / (report.tookMs / 1_000);
console.log(
	`\n${mib(report.sentBytes)} sent in ${(report.tookMs / 1_000).toFixed(1)} s (${rate.toFixed(0)} MiB/s); the new member served after ${(report.readyMs / 1_000).toFixed(1)} s`,
);
console.log(`elections meanwhile ${report.elections}, transfers that failed ${report.failures}`);
console.log(
	`longest time between two heartbeats ${report.heartbeatGapMs.toFixed(0)} ms (they come every 100 ms, an election after 1,000 ms without)`,
);
console.log(`${report.writes} writes meanwhile, the slowest took ${report.slowestWriteMs.toFixed(0)} ms`);
for (const { member, beforeBytes, peakBytes } of report.memory)
	console.log(`${member}: own memory ${mib(beforeBytes)} before, ${mib(peakBytes)} at most`);
console.log(report.equal ? "all members show the same hash" : "THE STATES DIFFER");
process.exitCode = report.elections === 0 && report.equal ? 0 : 1;
