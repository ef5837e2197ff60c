/**
 * `npm run big-snapshot -- [MiB] [--rate MiB/s]`: a store of 1 GiB (or so many MiB) is sent to a new member under load, over a link of
 * that rate if one is given. Exit status 1 if that cost an election or could have, or the states differ.
 */
import { commandFlags } from "@flotilla/base/command";
import { ELECTION_MS, findings, transferReport } from "./transfer.ts";

const { mebibytes, rate: linkRate } = commandFlags(
	{
		call: "npm run big-snapshot --",
		about: "Sends a whole store to a new member under load; fails if heartbeats stay away for an election time-out, or worse.",
		flags: {
			mebibytes: { kind: "number", least: 1, fallback: 1_024, about: "size of the store" },
			rate: { kind: "number", least: 0, fallback: 0, about: "MiB a second to the new member, all together; 0: as fast as may be" },
		},
		bare: ["mebibytes"],
	},
	process,
);
const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

const report = await transferReport(mebibytes * 2 ** 20, (text) => console.log(text), {
	bytesPerSecond: linkRate === 0 ? Number.POSITIVE_INFINITY : linkRate * 2 ** 20,
});
const rate = report.sentBytes / 2 ** 20 / (report.tookMs / 1_000);
console.log(
	`\n${mib(report.sentBytes)} sent in ${(report.tookMs / 1_000).toFixed(1)} s (${rate.toFixed(0)} MiB/s); the new member served after ${(report.readyMs / 1_000).toFixed(1)} s`,
);
console.log(`elections meanwhile ${report.elections}, transfers that failed ${report.failures}`);
console.log(
	`longest time between two heartbeats ${report.heartbeatGapMs.toFixed(0)} ms, ${report.newcomerGapMs.toFixed(0)} ms at the new member (they come every 100 ms, an election after ${ELECTION_MS} ms without)`,
);
console.log(`${report.writes} writes meanwhile, the slowest took ${report.slowestWriteMs.toFixed(0)} ms`);
for (const { member, beforeBytes, peakBytes } of report.memory)
	console.log(`${member}: own memory ${mib(beforeBytes)} before, ${mib(peakBytes)} at most`);
const found = findings(report);
console.log(found.length === 0 ? "all members show the same hash" : found.map((finding) => `FAILED: ${finding}`).join("\n"));
process.exitCode = found.length === 0 ? 0 : 1;
