/** One HTTP request on a connection of its own or a shared one, with the certificate of whoever asks: `fetch` shows none. */
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";

/** Paths of PEM files. */
export interface TlsFiles {
	readonly ca: string;
	readonly cert: string;
	readonly key: string;
}

export interface Asked {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array;
	readonly tls?: TlsFiles;
	readonly timeoutMs?: number;
	/** The answer is a stream that goes on: so many of its lines are enough. */
	readonly lines?: number;
}

export interface Answered {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

const ANSWER_MS = 90_000;
const agents = new Map<string, Agent>();

export function ask(url: string, asked: Asked = {}): Promise<Answered> {
	const { method = asked.body === undefined ? "GET" : "POST", headers = {}, body, tls, timeoutMs = ANSWER_MS, lines = 0 } = asked;
	return new Promise((resolve, reject) => {
		// Of some methods Node.js would send a body without its length.
		const length = body === undefined || body.length === 0 ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
		const options = { method, headers: { ...length, ...headers }, signal: AbortSignal.timeout(timeoutMs) };
		const request = tls === undefined ? httpRequest(url, options) : httpsRequest(url, { ...options, agent: agentFor(tls) });
		request.once("error", reject);
		request.once("response", (response) => {
			let text = "";
			const settle = (): void => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: firstLines(text, lines) });
			response.setEncoding("utf8").on("data", (piece: string) => {
				text += piece;
				if (lines === 0 || text.split("\n").length <= lines) return;
				settle();
				request.destroy();
			});
			response.once("end", settle);
			response.once("error", reject);
		});
		request.end(body);
	});
}

function firstLines(text: string, lines: number): string {
	return lines === 0 ? text : `${text.split("\n").slice(0, lines).join("\n")}\n`;
}

function agentFor(tls: TlsFiles): Agent {
	let agent = agents.get(tls.cert);
	if (agent === undefined) {
		agent = new Agent({ keepAlive: true, ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) });
		agents.set(tls.cert, agent);
	}
	return agent;
}
