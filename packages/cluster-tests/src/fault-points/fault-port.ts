/**
 * The loopback port that lists and arms the fault points, in a thread of its own: GET lists names, terms and how often each was
 * passed, PUT on a name arms it with the term in the body, DELETE disarms it and answers with what it took away.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { describeTerm, POINTS, PointTable, parseTerm } from "./point-table.ts";

const BODY_BYTES_MAX = 256;

const { memory, port } = workerData as { memory: SharedArrayBuffer; port: number };
const table = new PointTable(memory);

const server = createServer((request, response) => {
	void answer(request, response).catch(() => response.destroy());
});
server.listen({ port, host: "127.0.0.1" }, () => parentPort?.postMessage("listening"));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
	const end = (status: number, text: string): void => void response.writeHead(status, { "content-type": "text/plain" }).end(text);
	const asked = (request.url ?? "/").slice(1);
	const name = POINTS.find((point) => point === asked);
	if (request.method === "GET" && asked === "") return end(200, POINTS.map(line).join(""));
	if (name === undefined) return end(404, `there is no fault point ${JSON.stringify(asked)}\n`);
	if (request.method === "GET") return end(200, line(name));
	if (request.method === "DELETE") {
		const left = line(name);
		table.disarm(name);
		return end(200, left);
	}
	if (request.method !== "PUT") return end(405, "GET, PUT or DELETE\n");
	const body = await bodyOf(request);
	const term = body === null ? null : parseTerm(body);
	if (term === null) return end(400, 'a term is panic, sleep("1s") or error("EIO"), with 3* or 10% before it if wanted\n');
	table.arm(name, term);
	end(200, line(name));
}

function line(name: (typeof POINTS)[number]): string {
	const term = table.term(name);
	return `${name} ${term === null ? "-" : describeTerm(term)} ${table.hits(name)}\n`;
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
	let text = "";
	for await (const chunk of request.setEncoding("utf8")) {
		text += chunk;
		if (text.length > BODY_BYTES_MAX) return null;
	}
	return text;
}
