// Runs the pinned pnpm without installing anything globally. Plain JavaScript: it must work on any Node >= 18.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const pinned = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).packageManager;
const args = process.argv.slice(2);

if (process.platform !== "linux" && Number(process.versions.node.split(".")[0]) < 24) {
	console.error(`flotilla needs Node 24.12 or newer on ${process.platform}; this is ${process.version}.`);
	console.error("On Linux the right Node comes with the dependencies; elsewhere install it first.");
	process.exit(1);
}

const agent = process.env.npm_config_user_agent ?? "";
const [command, rest] = agent.startsWith(`${pinned.replace("@", "/")} `)
	? ["pnpm", args]
	: ["npm", ["exec", "--yes", "--prefer-offline", "--loglevel=error", "--package", pinned, "--", "pnpm", ...args]];

const child = spawn(command, rest, { cwd: root, stdio: "inherit", env: { ...process.env, npm_config_update_notifier: "false" } });
// The terminal sends Ctrl-C to the whole group; a plain signal to this process is handed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
	process.on(signal, () => {
		if (!process.stdin.isTTY || signal !== "SIGINT") child.kill(signal);
	});
}
child.on("error", (error) => {
	console.error(`Cannot start ${command}: ${error.message}`);
	process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 1)));
