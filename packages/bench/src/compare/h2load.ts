/** h2load of nghttp2 as the client: it costs little itself, but takes refusals for answers, so what it says is checked by the bytes and the revision. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { authorityOf, splitEndpoint } from "../client/access.ts";
import { usageOf } from "./usage.ts";

export interface H2Load {
	readonly connections: number;
	/** Streams at once on each connection. */
	readonly streams: number;
	readonly seconds: number;
}

export interface H2Result {
	/** Calls that were answered, or refused: it does not tell. */
	readonly answered: number;
	/** Bytes of all answers' messages, heads included. A refusal has none. */
	readonly bodyBytes: number;
	readonly perSecond: number;
	readonly meanUs: number;
	readonly maxUs: number;
	/** CPU seconds a second of its one thread. */
	readonly cpuShare: number;
}

const END_MS = 30_000;
const LOOK_MS = 100;

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
			...["--duration", String(load.seconds)],
			...["-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers"],
			...(token === "" ? [] : ["-H", `token: ${token}`]),
			`${address.secure ? "https" : "http"}://${authorityOf(address)}${path}`,
		];
		const { output, cpuShare } = await outputOf("h2load", args, load.seconds * 1_000 + END_MS);
		return { ...read(output, load), cpuShare };
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

export function read(output: string, { seconds }: H2Load): Omit<H2Result, "cpuShare"> {
	const requests = /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored/.exec(output);
	const times = /time for request:\s+(\S+)\s+(\S+)\s+(\S+)/.exec(output);
	const traffic = /traffic: .*\((\d+)\) data$/m.exec(output);
	if (requests === null || times === null || traffic === null) throw new Error(`h2load said something else:\n${output}`);
	const [answered, failed, errored] = [Number(requests[1]), Number(requests[2]), Number(requests[3])];
	if (failed + errored > 0) throw new Error(`h2load counted ${failed} failed and ${errored} errored requests`);
	return {
		...{ answered, bodyBytes: Number(traffic[1]), perSecond: answered / seconds },
		...{ meanUs: microseconds(times[3] as string), maxUs: microseconds(times[2] as string) },
	};
}

function microseconds(text: string): number {
	const match = /^([\d.]+)(us|ms|s)$/.exec(text);
	if (match === null) throw new Error(`not a duration: ${text}`);
	return Number(match[1]) * { us: 1, ms: 1_000, s: 1_000_000 }[match[2] as "us" | "ms" | "s"];
}

function outputOf(program: string, args: readonly string[], timeoutMs: number): Promise<{ output: string; cpuShare: number }> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs, killSignal: "SIGKILL" });
		const startedMs = performance.now();
		let [output, cpuShare] = ["", 0];
		// Looked at while it runs: nobody tells what a child that has ended had used.
		const look = setInterval(() => {
			void usageOf(child.pid ?? 0).then(({ cpuSeconds }) => {
				if (cpuSeconds > 0) cpuShare = (cpuSeconds * 1_000) / (performance.now() - startedMs);
			});
		}, LOOK_MS);
		for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
		child.once("error", (error) => {
			clearInterval(look);
			reject(error);
		});
		child.once("close", (code, signal) => {
			clearInterval(look);
			if (code === 0) resolve({ output, cpuShare });
			else reject(new Error(`${program} ended (${code ?? signal}):\n${output}`));
		});
	});
}
