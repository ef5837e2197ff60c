import type { Sliced } from "@flotilla/mvcc";
import type { CallContext } from "../front/seam.ts";

/** Keys or records that one turn may spend on one long read. */
const SLICE = 1_000;

/** Does the work slice by slice, so that the loop is never held; gives it up when the client goes away. */
export function runSliced<T>(work: Sliced<T>, call: CallContext, soon: (work: () => void) => void, done: (result: T) => void): void {
	let abandoned = false;
	call.onCancel(() => {
		abandoned = true;
		work.abandon();
	});
	const step = (): void => {
		if (abandoned) return;
		if (work.step(SLICE)) done(work.result());
		else soon(step);
	};
	step();
}
