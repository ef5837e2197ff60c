/** How V8's collector treats a member. */
import { setFlagsFromString } from "node:v8";

/**
 * Bytes outside of V8's heap count towards the limit of all memory, not towards that of the small heap itself: with the latter, each 16 MB
 * of buffers make a full collection, of which a member that takes puts of 64 KiB makes one in 48, and spends two fifths of its time on them.
 * The former takes it up to 100 MB more under such a load, and nothing under small values. docs/performance.md has the figures.
 *
 * Other versions of V8 may not know the flag and would say so on standard error.
 */
export function countBuffersApart(nodeVersion: string = process.versions.node): boolean {
	if (!nodeVersion.startsWith("24.")) return false;
	setFlagsFromString("--external-memory-accounted-in-global-limit");
	return true;
}
