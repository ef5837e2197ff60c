import { createConnection } from "node:net";
import { LineSplitter } from "./line-splitter.ts";
import { decodeServerLine, type TapLine, type TapRequest } from "./tap-line.ts";

const LINE_CHARACTERS_MAX = 1 << 20;

export interface TapReaderEvents {
	/** The hello came: `member` in hexadecimal. */
	connected?(member: string): void;
	event(line: TapLine): void;
	/** So many events were lost because this reader was slow. */
	dropped?(count: number): void;
	/** The member stopped, or there is none at this path. Nothing comes after it. */
	closed(error: Error | null): void;
}

/** Reads a member's tap from its socket. Returns the way to stop: `closed` is then called with null. */
export function readTap(socketPath: string, request: TapRequest, events: TapReaderEvents): () => void {
	const socket = createConnection(socketPath);
	const splitter = new LineSplitter(LINE_CHARACTERS_MAX);
	let failure: Error | null = null;
	socket.setEncoding("utf8");
	socket.on("connect", () => socket.write(`${JSON.stringify(request)}\n`));
	socket.on("data", (piece: string) => {
		const lines = splitter.feed(piece);
		if (lines === null) socket.destroy(new Error("Cannot read the tap: a line is too long"));
		else for (const line of lines) handleLine(line);
	});
	socket.on("error", (error) => {
		failure = error;
	});
	socket.on("close", () => events.closed(failure));
	return () => socket.destroy();

	function handleLine(text: string): void {
		const line = decodeServerLine(text);
		if (line === null) return;
		if ("tap" in line) events.connected?.(line.member);
		else if ("dropped" in line) events.dropped?.(line.dropped);
		else if ("error" in line) socket.destroy(new Error(`Cannot read the tap: ${line.error}`));
		else events.event(line);
	}
}
