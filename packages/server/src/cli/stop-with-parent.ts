/** Set by a program that starts members: they stop when it closes their standard input, which its death does as well. */
export const STOP_WITH_STDIN = "FLOTILLA_STOP_WITH_STDIN";

export function stopWithParent(environment: Readonly<Record<string, string | undefined>>, stop: () => void): void {
	if (environment[STOP_WITH_STDIN] !== "1") return;
	process.stdin.on("error", stop);
	process.stdin.on("end", stop);
	process.stdin.resume();
}
