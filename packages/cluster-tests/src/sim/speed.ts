/** How fast simulated time runs against the processor's time and against the time on the wall, for some of the runs of a campaign. */
export class Speed {
	private runs = 0;
	private virtualMs = 0;
	private cpuMs = 0;
	private realMs = 0;

	/** `cpuMs`, `realMs`: of the thread that carried out the run. */
	add(virtualMs: number, cpuMs: number, realMs: number): void {
		this.runs++;
		this.virtualMs += virtualMs;
		this.cpuMs += cpuMs;
		this.realMs += realMs;
	}

	describe(): string {
		return `${this.runs} runs, ${times(this.virtualMs, this.cpuMs)} simulated seconds a CPU second, ${times(this.virtualMs, this.realMs)} a real second`;
	}
}

export function times(virtualMs: number, ms: number): string {
	return ms === 0 ? "?" : String(Math.round(virtualMs / ms));
}
