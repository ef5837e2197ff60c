/** A broken promise of the cluster as a whole. */
export class Violation extends Error {
	override readonly name = "Violation";
}
