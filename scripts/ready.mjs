// Makes bin/flotilla usable: the dependencies are installed by the time this runs; here the program is started once and all of
// a member is loaded once, so that the compiled code is kept, and a fault of the installation (a native part that does not
// load) shows now and not at the first member. Plain JavaScript; runs on the Node that came with the dependencies.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const path = (fromRoot) => fileURLToPath(new URL(`../${fromRoot}`, import.meta.url));
const program = path("bin/flotilla");
const member = new URL("../packages/server/src/cli/run-member.ts", import.meta.url).href;
// The same folder as in bin/flotilla.
const env = { NODE_COMPILE_CACHE: path("node_modules/.cache/flotilla"), ...process.env };

function attempt(what, command, args) {
	return new Promise((resolve) => {
		let output = "";
		const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding("utf8").on("data", (text) => {
				output += text;
			});
		}
		child.on("error", (error) => resolve({ what, problem: error.message, output }));
		child.on("close", (status, signal) => resolve({ what, problem: status === 0 ? null : (signal ?? `exit status ${status}`), output }));
	});
}

const attempts = await Promise.all([
	attempt("bin/flotilla --version", program, ["--version"]),
	attempt("loading a member", process.execPath, [
		"--conditions=@flotilla/source",
		"--input-type=module",
		"--eval",
		`await import("${member}")`,
	]),
]);
const broken = attempts.filter(({ problem }) => problem !== null);
for (const { what, problem, output } of broken) console.error(`flotilla is installed but does not work: ${what}: ${problem}\n${output}`);
if (broken.length > 0) process.exit(1);
console.log(`flotilla is ready: ${program}`);
