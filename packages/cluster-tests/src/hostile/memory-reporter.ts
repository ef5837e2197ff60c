/**
 * Loaded before a member (`node --import`): tells on a port of loopback how much memory the member uses that cannot be collected.
 * `GET /begin` starts anew, `GET /look` answers the most that any look since then found above what there was at the beginning,
 * `GET /resident` what the system counts for the whole process now.
 */
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";
import { MEMORY_PORT } from "./memory-port.ts";

const { [MEMORY_PORT]: memoryPort } = process.env;
if (isMainThread && memoryPort !== undefined) report(Number(memoryPort));

function report(port: number): void {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	const usedBytes = (): number => {
		// The second waits until the first has given buffers back.
		collect();
		collect();
		const { heapUsed, external } = process.memoryUsage();
		return heapUsed + external;
	};
	let base = 0;
	let peak = 0;
	createServer(({ url }, response) => {
		const used = usedBytes();
		if (url === "/resident") {
			response.end(String(process.memoryUsage.rss()));
			return;
		}
		if (url === "/begin") {
			base = used;
			peak = used;
		}
		peak = Math.max(peak, used);
		response.end(String(peak - base));
	})
		.listen(port, "127.0.0.1")
		.unref();
}
