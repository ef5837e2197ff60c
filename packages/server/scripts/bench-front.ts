/**
 * What a call costs in the front alone: `node --conditions=@flotilla/source packages/server/scripts/bench-front.ts [rounds]`. A stub answers
 * all calls of one turn together; h2load is the client; our own HTTP/2 and grpc-js in turn.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_GRPC_OPTIONS } from "../src/front/front-options.ts";
import { createGrpcJsFront } from "../src/front/grpc-js-front.ts";
import { createNativeFront } from "../src/front/native/native-front.ts";
import { openClientPort } from "../src/front/port.ts";
import type { MethodTable, UnaryCall } from "../src/front/seam.ts";

const PATH = "/etcdserverpb.KV/Put";
const rounds = Number(process.argv[2] ?? 3);
const fronts = [
	{ name: "native", create: createNativeFront, calls: 100_000 },
	{ name: "grpc-js", create: createGrpcJsFront, calls: 20_000 },
] as const;
const loads = [
	{ connections: 1, streams: 1, share: 0.1 },
	{ connections: 1, streams: 32, share: 1 },
	{ connections: 16, streams: 16, share: 1 },
];

function stub(): MethodTable {
	const answer = new Uint8Array(28).fill(1);
	let calls: UnaryCall[] = [];
	const answerAll = (): void => {
		const now = calls;
		calls = [];
		for (const call of now) call.respond(answer);
	};
	const handle = (call: UnaryCall): void => {
		if (calls.push(call) === 1) setImmediate(answerAll);
	};
	return new Map([[PATH, { shape: "unary", handle }]]);
}

function h2load(port: number, connections: number, streams: number, calls: number, request: string): Promise<number> {
	return new Promise((resolve, reject) => {
		const args = ["-c", String(connections), "-m", String(streams), "-t", "1", "-n", String(calls), "-d", request];
		const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
		const child = spawn("h2load", [...args, ...headers, `http://127.0.0.1:${port}${PATH}`], { stdio: ["ignore", "pipe", "inherit"] });
		let output = "";
		child.stdout.on("data", (chunk: Buffer) => {
			output += chunk.toString();
		});
		child.once("error", reject);
		child.once("close", () => {
			const done = /, (\d+) succeeded/.exec(output);
			if (Number(done?.[1]) === calls) resolve(Number(/([\d.]+) req\/s/.exec(output)?.[1]));
			else reject(new Error(output));
		});
	});
}

const folder = await mkdtemp(join(tmpdir(), "flotilla-bench-front-"));
const request = join(folder, "request");
// Field 1: 8 bytes of key; field 2: 256 bytes of value.
const message = Buffer.concat([Buffer.from([0x0a, 8]), Buffer.alloc(8, "k"), Buffer.from([0x12, 0x80, 2]), Buffer.alloc(256, "v")]);
const head = Buffer.alloc(5);
head.writeUInt32BE(message.length, 1);
await writeFile(request, Buffer.concat([head, message]));
for (let round = 0; round < rounds; round++) {
	for (const { connections, streams, share } of loads) {
		for (const { name, create, calls } of round % 2 === 0 ? fronts : [...fronts].reverse()) {
			const port = await openClientPort({
				addresses: [{ host: "127.0.0.1", port: 0 }],
				grpc: create(stub(), DEFAULT_GRPC_OPTIONS),
				http: null,
			});
			const number = (port.addresses[0] as { port: number }).port;
			const count = calls * share;
			await h2load(number, connections, streams, count / 4, request);
			const before = process.cpuUsage();
			const perSecond = await h2load(number, connections, streams, count, request);
			const { user, system } = process.cpuUsage(before);
			await port.close(0);
			const us = ((user + system) / count).toFixed(1);
			console.log(
				`round ${round + 1}  ${connections} x ${streams} streams  ${name.padEnd(8)} ${perSecond.toFixed(0)}/s  ${us} us of CPU a call`,
			);
		}
	}
}
await rm(folder, { recursive: true, force: true });
