/**
 * The test build of the program: a member that takes the same flags as `bin/flotilla`, with fault points that can be armed at the
 * port of loopback that FLOTILLA_FAULT_POINTS names, and with FLOTILLA_SHORT_LOG=1 one that keeps next to nothing of its log behind a
 * floor: whoever was away for a second needs the whole state. Takes no configuration file.
 */
import { readCommandLine, runMember } from "@flotilla/server/internal";
import { openFaultPoints } from "./around.ts";

/** Several parts to a state, and time to cut it off between them. */
const SHORT_LOG = {
	walSegmentBytes: 16 << 10,
	walKeepEntries: 0,
	walKeepBytes: 0,
	logMemoryEntries: 0,
	floorBytes: 16 << 10,
	snapshotCount: 50,
	snapshotPartBytes: 2 << 10,
	snapshotPartPauseMs: 20,
} as const;

const { FLOTILLA_FAULT_POINTS: port, FLOTILLA_SHORT_LOG: short, ...environment } = process.env;
const files = { readSettings: () => Promise.resolve({ ok: false, reason: "a test build takes flags only" } as const) };
const outcome = await readCommandLine(process.argv.slice(2), environment, files);
if (outcome.kind !== "run" || (port === undefined && short === undefined)) {
	const wanted = "a test build takes the flags of a member, and FLOTILLA_FAULT_POINTS or FLOTILLA_SHORT_LOG";
	process.stderr.write(`${wanted}: ${JSON.stringify(outcome)}\n`);
	process.exit(2);
}
const options = short === "1" ? { ...outcome.options, ...SHORT_LOG } : outcome.options;
await runMember({ ...outcome, options }, port === undefined ? {} : { around: await openFaultPoints(Number(port)) });
