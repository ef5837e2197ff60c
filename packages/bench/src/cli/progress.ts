import type { Point } from "../measure/recorder.ts";
import { progressLine } from "../report/text.ts";

/** One line that is redrawn on a terminal; on a pipe one line a second. */
export class Progress {
	private readonly out: NodeJS.WriteStream;
	private drawn = false;

	constructor(out: NodeJS.WriteStream) {
		this.out = out;
	}

	second(point: Point, part: { readonly of: number; readonly at: number }): void {
		this.say(progressLine(point, part));
	}

	say(line: string): void {
		if (!this.out.isTTY) {
			this.out.write(`${line}\n`);
			return;
		}
		this.out.write(`\r\x1b[K${line.slice(0, this.out.columns - 1)}`);
		this.drawn = true;
	}

	/** What comes next stands on a line of its own. */
	end(): void {
		if (this.drawn) this.out.write("\r\x1b[K");
		this.drawn = false;
	}
}
