/**
 * Asks the port of a member's fault points. A member may end in the very moment in which it is asked, for one because the point
 * that was just armed ended it before the answer had left: that is no error of the asker, and is told apart from one.
 */
import { request } from "node:http";
import { reasonOf } from "../process/reason.ts";
import { pause } from "../process/wait.ts";

/** Of one question, and of all repetitions together: reached only where something is broken. */
const CALL_MS = 10_000;
const AGAIN_MS = 50;

export interface PointAnswer {
	readonly status: number;
	readonly text: string;
}

export interface AskedMember {
	readonly name: string;
	readonly faultPort: number;
	/** Whether its process has ended. */
	ended(): boolean;
}

/** Arms a point with a term (PUT) or disarms it (DELETE). Null: the member ended before its answer came; what was asked may be done. */
export async function callPoint(
	member: AskedMember,
	method: "PUT" | "DELETE",
	point: string,
	term = "",
	limitMs = CALL_MS,
): Promise<PointAnswer | null> {
	const deadline = performance.now() + limitMs;
	for (;;) {
		if (member.ended()) return null;
		try {
			return await once(member.faultPort, method, point, term, limitMs);
		} catch (error) {
			// A process that has just closed its sockets is not known to have ended yet. The same question twice does what one does.
			if (performance.now() > deadline) {
				const where = `fault point ${point} of ${member.name} at 127.0.0.1:${member.faultPort}`;
				throw new Error(`${where} does not answer, and the member runs: ${reasonOf(error)}`);
			}
		}
		await pause(AGAIN_MS);
	}
}

/** On a connection of its own: one that was kept may lead to a process that is no more. */
function once(port: number, method: string, point: string, term: string, timeoutMs: number): Promise<PointAnswer> {
	return new Promise((resolve, reject) => {
		const asking = request({ host: "127.0.0.1", port, path: `/${point}`, method, agent: false }, (response) => {
			let text = "";
			response.setEncoding("utf8").on("data", (part: string) => {
				text += part;
			});
			response.once("error", reject);
			response.once("end", () => resolve({ status: response.statusCode ?? 0, text: text.trim() }));
		});
		asking.setTimeout(timeoutMs, () => asking.destroy(new Error(`no answer within ${timeoutMs} ms`)));
		asking.once("error", reject);
		asking.end(term);
	});
}
