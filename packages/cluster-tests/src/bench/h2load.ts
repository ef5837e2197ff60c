import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeMessage, type Plain } from "../client/protocol.ts";
import { runTool } from "../process/tools.ts";

export interface Load {
	readonly connections: number;
	/** Streams at once on each connection. */
	readonly streams: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
}

export interface LoadResult {
	/** Requests answered in the measured time. */
	readonly requests: number;
	/** Requests of the whole run, warm-up included: what the server must have seen. */
	readonly perSecond: number;
	readonly meanMs: number;
	readonly maxMs: number;
}

/** One unary gRPC method under closed-loop load from h2load, which costs little itself. It counts refusals as successes: check the revision. */
export async function runH2load(url: string, path: string, type: string, request: Plain, load: Load): Promise<LoadResult> {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-h2load-"));
	try {
		const message = encodeMessage(`etcdserverpb.${type}`, request);
		const framed = Buffer.alloc(5 + message.length);
		framed.writeUInt32BE(message.length, 1);
		message.copy(framed, 5);
		await writeFile(join(folder, "request"), framed);
		const result = await runTool(
			"h2load",
			[
				...["-c", String(load.connections), "-m", String(load.streams), "-t", "1"],
				...["--duration", String(load.seconds), "--warm-up-time", String(load.warmUpSeconds)],
				...["-d", join(folder, "request"), "-H", "content-type: application/grpc", "-H", "te: trailers"],
				`${url}${path}`,
			],
			{ timeoutMs: (load.seconds + load.warmUpSeconds + 30) * 1000 },
		);
		return parse(result.stdout);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

function parse(output: string): LoadResult {
	const finished = /finished in ([\d.]+)s, ([\d.]+) req\/s/.exec(output);
	const requests = /requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded/.exec(output);
	const times = /time for request:\s+(\S+)\s+(\S+)\s+(\S+)/.exec(output);
	if (finished === null || requests === null || times === null) throw new Error(`h2load said something else:\n${output}`);
	return {
		requests: Number(requests[3]),
		perSecond: Number(finished[2]),
		meanMs: milliseconds(times[3] as string),
		maxMs: milliseconds(times[2] as string),
	};
}

function milliseconds(text: string): number {
	const match = /^([\d.]+)(us|ms|s)$/.exec(text);
	if (match === null) throw new Error(`not a duration: ${text}`);
	const factor = { us: 0.001, ms: 1, s: 1000 }[match[2] as "us" | "ms" | "s"];
	return Number(match[1]) * factor;
}
