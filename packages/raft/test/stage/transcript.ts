import { carryOut } from "./commands.ts";
import { Stage } from "./stage.ts";

/**
 * A transcript is a text file that documents one behaviour of the protocol and proves it:
 *
 *   # prose, the first line of which names the scenario
 *   > a command
 *     what followed from it, written by the machine and reviewed as a change of behaviour
 */
export function titleOf(text: string): string {
	return (/^# (.*)$/m.exec(text)?.[1] ?? "").trim();
}

/** The text with the output of its commands as it is now. A broken promise or invariant is output, too, and ends the story. */
export function replay(text: string): string {
	const stage = new Stage();
	const written: string[] = [];
	for (const line of text.trimEnd().split("\n")) {
		if (line.startsWith("  ")) continue;
		written.push(line.trimEnd());
		if (!line.startsWith("> ")) continue;
		try {
			carryOut(stage, line.slice(2).trim());
		} catch (error) {
			stage.say(`STOPS: ${error instanceof Error ? error.message : String(error)}`);
		}
		for (const told of stage.take()) written.push(`  ${told}`);
	}
	return `${written.join("\n")}\n`;
}
