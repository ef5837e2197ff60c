/** What either end says first (RFC 9113, 3.4). */
import type { ConnectionOptions } from "./connection-options.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { DEFAULT_WINDOW_BYTES, PREFACE, Setting } from "./protocol.ts";

export function greet(writer: FrameWriter, isServer: boolean, options: ConnectionOptions): void {
	if (!isServer) writer.raw(PREFACE);
	writer.settings([
		...(isServer ? [] : [[Setting.enablePush, 0] as const]),
		[Setting.maxConcurrentStreams, options.concurrentStreamsMax],
		[Setting.initialWindowSize, options.streamWindowBytes],
		[Setting.maxHeaderListSize, options.headerListBytesMax],
	]);
	if (options.connectionWindowBytes > DEFAULT_WINDOW_BYTES) {
		writer.windowUpdate(0, options.connectionWindowBytes - DEFAULT_WINDOW_BYTES);
	}
}
