/** Puts of one key (8 bytes, value of 256) by h2load, as fast as they are answered. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeMessage } from "../client/protocol.ts";
import { runTool } from "../process/tools.ts";

export interface PutShape {
	readonly connections: number;
	/** At once on each connection. */
	readonly streams: number;
	readonly seconds: number;
	/** Before them, and not counted. */
	readonly warmUpSeconds?: number;
}

const END_MS = 30_000;

/** How many calls were answered, or refused: h2load does not tell, so whoever asks looks at the revision. */
export async function putByH2load(url: string, { connections, streams, seconds, warmUpSeconds = 0 }: PutShape): Promise<number> {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-puts-"));
	try {
		const message = encodeMessage("etcdserverpb.PutRequest", { key: Buffer.from("benchkey"), value: Buffer.alloc(256, "v") });
		const framed = Buffer.alloc(5 + message.length);
		framed.writeUInt32BE(message.length, 1);
		message.copy(framed, 5);
		await writeFile(join(folder, "request"), framed);
		const duration = ["--duration", String(seconds), "--warm-up-time", String(warmUpSeconds)];
		const shape = ["-c", String(connections), "-m", String(streams), "-t", "1", ...duration];
		const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers", "-d", join(folder, "request")];
		const timeoutMs = (seconds + warmUpSeconds) * 1_000 + END_MS;
		const { stdout } = await runTool("h2load", [...shape, ...headers, `${url}/etcdserverpb.KV/Put`], { timeoutMs });
		const done = /requests: \d+ total, \d+ started, (\d+) done/.exec(stdout);
		if (done === null) throw new Error(`h2load said something else:\n${stdout}`);
		return Number(done[1]);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
