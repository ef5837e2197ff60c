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
	/** The answer is a stream that goes on: its first line is enough. */
	readonly firstLine?: boolean;
}

export interface Answered {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

const ANSWER_MS = 90_000;
const agents = new Map<string, Agent>();

export function ask(url: string, asked: Asked = {}): Promise<Answered> {
	const { method = asked.body === undefined ? "GET" : "POST", headers = {}, body, tls, timeoutMs = ANSWER_MS, firstLine = false } = asked;
	return new Promise((resolve, reject) => {
		const options = { method, headers, signal: AbortSignal.timeout(timeoutMs) };
		const request = tls === undefined ? httpRequest(url, options) : httpsRequest(url, { ...options, agent: agentFor(tls) });
		request.once("error", reject);
		request.once("response", (response) => {
			let text = "";
			const settle = (): void => resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
			response.setEncoding("utf8").on("data", (piece: string) => {
				text += piece;
				if (!firstLine || !text.includes("\n")) return;
				settle();
				request.destroy();
			});
			response.once("end", settle);
			response.once("error", reject);
		});
		request.end(body);
	});
}

function agentFor(tls: TlsFiles): Agent {
	let agent = agents.get(tls.cert);
	if (agent === undefined) {
		agent = new Agent({ keepAlive: true, ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) });
		agents.set(tls.cert, agent);
	}
	return agent;
}
