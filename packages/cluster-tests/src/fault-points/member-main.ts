/**
 * The test build of the program: a member that takes the same flags as `bin/flotilla`, with fault points that can be armed at the
 * port of loopback that FLOTILLA_FAULT_POINTS names. Takes no configuration file.
 */
import { readCommandLine, runMember } from "@flotilla/server/internal";
import { openFaultPoints } from "./around.ts";

const { FLOTILLA_FAULT_POINTS: port, ...environment } = process.env;
const files = { readSettings: () => Promise.resolve({ ok: false, reason: "a test build takes flags only" } as const) };
const outcome = await readCommandLine(process.argv.slice(2), environment, files);
if (outcome.kind !== "run" || port === undefined) {
	process.stderr.write(`a test build takes the flags of a member and FLOTILLA_FAULT_POINTS: ${JSON.stringify(outcome)}\n`);
	process.exit(2);
}
await runMember(outcome, { around: await openFaultPoints(Number(port)) });
