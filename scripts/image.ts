/**
 * `npm run image -- [TAG] [--local]`: builds the image of a member. The official Node.js image is the base where it is there or can be
 * pulled; where it cannot, or with `--local`, one is made from this machine's files.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commandFlags } from "../packages/base/src/command-call.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { tag, local } = commandFlags(
	{
		call: "npm run image --",
		about: "Builds the image of a member.",
		flags: {
			tag: { kind: "text", fallback: "flotilla:local", about: "name of the image" },
			local: { kind: "switch", about: "its base is made from this machine's files, also where the official image can be had" },
		},
		bare: ["tag"],
	},
	process,
);
const OFFICIAL = "node:24-bookworm-slim";
const LOCAL = "flotilla-base:local";

function run(program: string, args: readonly string[]): boolean {
	return spawnSync(program, args, { stdio: "inherit", cwd: root }).status === 0;
}

function have(image: string): boolean {
	return spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" }).status === 0;
}

function base(): string {
	if (!local && (have(OFFICIAL) || run("docker", ["pull", "-q", OFFICIAL]))) return OFFICIAL;
	if (!have(LOCAL) && !run("scripts/base-image.sh", [LOCAL])) throw new Error("there is no base image, and none can be made here");
	return LOCAL;
}

const context = mkdtempSync(join(tmpdir(), "flotilla-image-"));
try {
	if (!run(process.execPath, ["scripts/stage.mjs", ".", context])) throw new Error("the files of the image cannot be laid out");
	const image = base();
	if (!run("docker", ["build", "-q", "--build-arg", `BASE=${image}`, "-t", tag, context])) throw new Error("the image cannot be built");
	console.log(`${tag}, on ${image}`);
} finally {
	rmSync(context, { recursive: true, force: true });
}
