/**
 * Tells an init daemon that started this process and waits for it (systemd's `Type=notify`) that the member serves. Node.js has no
 * datagram sockets of Unix, so systemd's own program carries the message; its unit must take it (`NotifyAccess=all`).
 */
import { execFile } from "node:child_process";
import type { Logger } from "../tap/logger.ts";

const CALLER = "cli/init-daemon.ts";
const PATIENCE_MS = 10_000;

/** `environment`: that of the process. Nothing happens where nobody waits. */
export function notifyInitDaemon(environment: NodeJS.ProcessEnv, logger: Pick<Logger, "write">): void {
	const { NOTIFY_SOCKET: socket, PATH: path = "/usr/bin:/bin" } = environment;
	if (socket === undefined || socket === "") return;
	logger.write("info", "notifying init daemon", {}, CALLER);
	const options = { env: { NOTIFY_SOCKET: socket, PATH: path }, timeout: PATIENCE_MS };
	execFile("systemd-notify", ["--ready", `--pid=${process.pid}`], options, (error) => {
		if (error === null) logger.write("info", "successfully notified init daemon", {}, CALLER);
		else logger.write("error", "failed to notify systemd for readiness", { error: error.message.split("\n")[0] }, CALLER);
	});
}
