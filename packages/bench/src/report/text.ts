/** A run in words, for the terminal. */
import type { RunResult } from "../load/run.ts";
import type { Settings } from "../load/settings.ts";
import { type Point, rateOf } from "../measure/recorder.ts";
import type { Stages } from "../tap/stages.ts";
import type { Sweep } from "./sweep.ts";
import { percent, rate, time } from "./units.ts";

export function describeSettings(settings: Settings): string {
	const { load, clients, connections, keys, keyBytes, valueBytes, serializable, aim } = settings;
	const loop = settings.rate > 0 ? `open loop, ${rate(settings.rate)}/s` : "closed loop";
	const what = load === "mixed" ? `mixed, ${percent(settings.readShare)} reads` : load;
	const how = serializable ? ", serializable" : "";
	return `${what}${how}: ${clients} clients on ${connections} connections to ${aim === "all" ? "all" : `the ${aim}`}, ${loop}, ${keys} keys of ${keyBytes} B, values of ${valueBytes} B`;
}

export function progressLine(point: Point, part: { readonly of: number; readonly at: number }): string {
	const phase = point.warmUp ? "warm-up" : "measure";
	const failed = point.failures > 0 ? `, ${point.failures} FAILED` : "";
	return `${phase} ${part.at}/${part.of} s: ${rate(rateOf(point))}/s, p50 ${time(point.p50Us)}, p99 ${time(point.p99Us)}, max ${time(point.maxUs)}${failed}`;
}

export function summaryLines(result: RunResult): string[] {
	const { latency, client } = result;
	const lines = [
		describeSettings(result.settings),
		`${rate(result.perSecond)}/s: ${result.operations} operations in ${result.seconds.toFixed(1)} s`,
		`latency p50 ${time(latency.p50Us)}, p90 ${time(latency.p90Us)}, p99 ${time(latency.p99Us)}, p99.9 ${time(latency.p999Us)}, max ${time(latency.maxUs)}, mean ${time(latency.meanUs)}`,
		`client: ${percent(client.cpuShare)} of a processor, its loop ${percent(client.loopShare)} busy${client.clientBound ? ": CLIENT-BOUND, the server may be faster than this" : ""}`,
	];
	for (const [text, count] of Object.entries(result.failures)) lines.push(`FAILED ${count} times: ${text}`);
	if (result.doubt !== null) lines.push(`DOUBT: ${result.doubt}`);
	return lines;
}

export function stageLines(stages: Stages): string[] {
	const lines = [`stages of a write at the leader, by ${stages.batches} batches of ${stages.entriesABatch.toFixed(1)} entries:`];
	for (const { name, p50Us, p99Us, meaning } of stages.stages) {
		lines.push(`  ${name.padEnd(10)} p50 ${time(p50Us).padStart(8)}  p99 ${time(p99Us).padStart(8)}  ${meaning}`);
	}
	return lines;
}

export function sweepLines({ steps, knee }: Sweep): string[] {
	return steps.map(({ clients, result }, at) => {
		const { latency, perSecond, client } = result;
		const mark = at === knee ? "  <- knee" : "";
		const bound = client.clientBound ? "  client-bound" : "";
		return `${String(clients).padStart(6)} clients ${rate(perSecond).padStart(9)}/s  p50 ${time(latency.p50Us).padStart(8)}  p99 ${time(latency.p99Us).padStart(8)}${mark}${bound}`;
	});
}
