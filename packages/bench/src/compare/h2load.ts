/** h2load of nghttp2 as the client: it costs little itself, but takes refusals for answers, so its rounds are checked by the revision. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { authorityOf, splitEndpoint } from "../client/access.ts";

export interface H2Load {
	readonly connections: number;
	/** Streams at once on each connection. */
	readonly streams: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
}

export interface H2Result {
	/** Calls answered in the measured time. */
	readonly answered: number;
	readonly perSecond: number;
	readonly meanUs: number;
	readonly maxUs: number;
}

const END_MS = 30_000;

export function haveH2load(): boolean {
	return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, "h2load")));
}

/** One call again and again, as fast as it is answered. */
export async function runH2load(endpoint: string, path: string, message: Uint8Array, load: H2Load, token = ""): Promise<H2Result> {
	const address = splitEndpoint(endpoint);
	const folder = await mkdtemp(join(tmpdir(), "flotilla-h2load-"));
	try {
		const framed = Buffer.alloc(5 + message.length);
		framed.writeUInt32BE(message.length, 1);
		framed.set(message, 5);
		const file = join(folder, "request");
		await writeFile(file, framed);
		const args = [
			...["-c", String(load.connections), "-m", String(load.streams), "-t", "1"],
			...["--duration", String(load.seconds), "--warm-up-time", String(load.warmUpSeconds)],
			...["-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers"],
			...(token === "" ? [] : ["-H", `token: ${token}`]),
			`${address.secure ? "https" : "http"}://${authorityOf(address)}${path}`,
		];
		return read(await outputOf("h2load", args, (load.seconds + load.warmUpSeconds) * 1_000 + END_MS), load);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

export function read(output: string, { seconds }: H2Load): H2Result {
	const requests = /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored/.exec(output);
	const times = /time for request:\s+(\S+)\s+(\S+)\s+(\S+)/.exec(output);
	if (requests === null || times === null) throw new Error(`h2load said something else:\n${output}`);
	const [answered, failed, errored] = [Number(requests[1]), Number(requests[2]), Number(requests[3])];
	if (failed + errored > 0) throw new Error(`h2load counted ${failed} failed and ${errored} errored requests`);
	return { answered, perSecond: answered / seconds, meanUs: microseconds(times[3] as string), maxUs: microseconds(times[2] as string) };
}

function microseconds(text: string): number {
	const match = /^([\d.]+)(us|ms|s)$/.exec(text);
	if (match === null) throw new Error(`not a duration: ${text}`);
	return Number(match[1]) * { us: 1, ms: 1_000, s: 1_000_000 }[match[2] as "us" | "ms" | "s"];
}

function outputOf(program: string, args: readonly string[], timeoutMs: number): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs, killSignal: "SIGKILL" });
		let output = "";
		for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
		child.once("error", reject);
		child.once("close", (code, signal) => {
			if (code === 0) resolve(output);
			else reject(new Error(`${program} ended (${code ?? signal}):\n${output}`));
		});
	});
}
