/**
 * What a trace of system calls (strace -f -y) says of the log's files. A call that takes its time stands in two lines, of which the
 * first has the arguments and the second the result; calls of other threads stand between them.
 */

/** Writes into segments on a descriptor that does not sync within the write (rule W2); each is named. */
export function framesNotSynced(calls: string): string[] {
	const synced = new Set<string>();
	const faulty: string[] = [];
	for (const { text } of ended(calls)) {
		const opened = /^openat\(.*", (\S+)\) = (\d+)</.exec(text);
		if (opened !== null) {
			if (opened[1]?.split("|").includes("O_DSYNC")) synced.add(opened[2] as string);
			else synced.delete(opened[2] as string);
		}
		const written = /^pwrite64\((\d+)<[^>]*\/wal\/[^/>]*\.wal>/.exec(text);
		if (written !== null && !synced.has(written[1] as string)) faulty.push(text);
	}
	return faulty;
}

/** Renames to a segment's name behind which something was written to descriptor `told` before their folder was synced (rule W5). */
export function foldersNotSynced(calls: string, told: number): string[] {
	let unsynced: string | null = null;
	const faulty: string[] = [];
	for (const { text } of ended(calls)) {
		if (/^rename\(.*\.wal"\) = 0/.test(text)) unsynced = text;
		if (/^fsync\(\d+<[^>]*\/wal>\) = 0/.test(text)) unsynced = null;
		if (unsynced !== null && text.startsWith(`write(${told}<`)) {
			faulty.push(unsynced);
			unsynced = null;
		}
	}
	return faulty;
}

/** Calls whole, in the order of their ends. */
function* ended(calls: string): Generator<{ readonly text: string }> {
	const begun = new Map<string, string>();
	for (const line of calls.split("\n")) {
		const [, thread, text] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
		if (thread === undefined || text === undefined) continue;
		const first = / <unfinished \.\.\.>$/.exec(text);
		if (first !== null) {
			begun.set(thread, text.slice(0, first.index));
			continue;
		}
		const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
		yield { text: rest === null ? text : `${begun.get(thread) ?? ""}${rest[1]}` };
	}
}
