/**
 * `node stage.mjs SOURCE TARGET`: lays out what a member needs to run, and nothing else: sources and their dependencies. Those that lie
 * in SOURCE since an earlier staging are taken over, otherwise they are installed. Plain JavaScript: it runs in the image's Node.js.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

const [source, target] = process.argv.slice(2).map((path) => resolve(path));
if (source === undefined || target === undefined) throw new Error("node stage.mjs SOURCE TARGET");

const PACKAGES = ["base", "raft", "mvcc", "api", "replica", "server"];
/** Says that the dependencies beside it are those of a member alone. */
const MARK = ".staged";
const staged = existsSync(join(source, MARK));
const unwanted = new Set(["test", "scripts", "dist", ...(staged ? [] : ["node_modules"])]);

function copy(path) {
	cpSync(join(source, path), join(target, path), {
		recursive: true,
		verbatimSymlinks: true,
		filter: (from) => !unwanted.has(basename(from)) || from.includes("node_modules/") || path.startsWith("scripts"),
	});
}

for (const file of ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "Dockerfile"]) copy(file);
copy("scripts/pnpm.mjs");
copy("scripts/stage.mjs");
for (const name of PACKAGES)
	for (const entry of readdirSync(join(source, "packages", name))) {
		if (!unwanted.has(entry) && (staged || entry !== "node_modules")) copy(`packages/${name}/${entry}`);
	}
if (staged) copy("node_modules");
else {
	// The image's own Node.js runs the member.
	const args = [join(target, "scripts/pnpm.mjs"), "install", "--prod", "--no-optional", "--frozen-lockfile"];
	const { status } = spawnSync(process.execPath, args, { cwd: target, stdio: "inherit" });
	if (status !== 0) process.exit(status ?? 1);
}
writeFileSync(join(target, MARK), "");
