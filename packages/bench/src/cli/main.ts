/** `flotilla bench`: exit status 0 when it was measured, 1 when it could not be or is in doubt, 2 for a wrong call. */
import { print, watchOutput } from "@flotilla/server/internal";
import { readBenchCall, USAGE } from "./options.ts";

watchOutput();
const call = readBenchCall(process.argv.slice(2), process.env);
try {
	switch (call.kind) {
		case "usage":
			if (call.problem === "") print(USAGE);
			else process.stderr.write(`${call.problem}\n\n${USAGE}`);
			process.exitCode = call.problem === "" ? 0 : 2;
			break;
		case "load":
			process.exitCode = await (await import("./load-command.ts")).loadCommand(call);
			break;
		case "compare":
			process.exitCode = await (await import("./compare-command.ts")).compareCommand(call);
			break;
	}
} catch (error) {
	process.stderr.write(`flotilla bench: ${(error as Error).message}\n`);
	process.exitCode = 1;
}
