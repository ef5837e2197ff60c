// Makes bin/flotilla usable: the dependencies are installed by the time this runs; here the program is started once, so that
// its compiled form is kept and a fault of the installation shows now and not at the first member. Plain JavaScript.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../bin/flotilla", import.meta.url));
const result = spawnSync(program, ["--version"], { encoding: "utf8", timeout: 60_000 });
if (result.error !== undefined || result.status !== 0) {
	console.error(`flotilla is installed but does not start: ${result.error?.message ?? `exit status ${result.status ?? result.signal}`}`);
	if (result.stderr) console.error(result.stderr);
	process.exit(1);
}
console.log(`flotilla is ready: ${program}`);
