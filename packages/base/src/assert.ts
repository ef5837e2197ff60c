/** A broken invariant: a bug, never an operating condition. It ends the process (or is a finding of the simulator). */
export class InvariantError extends Error {
	override readonly name = "InvariantError";
	readonly details: Readonly<Record<string, unknown>>;
	constructor(rule: string, details: Readonly<Record<string, unknown>> = {}) {
		super(Object.keys(details).length === 0 ? rule : `${rule} ${describeDetails(details)}`);
		this.details = details;
	}
}

/** States an invariant with a fixed text; stays on in production. For numbers in the report use `fail`. */
export function assert(condition: boolean, rule: string): asserts condition {
	if (!condition) throw new InvariantError(rule);
}

/** Reports a broken invariant together with the values that broke it. */
export function fail(rule: string, details: Readonly<Record<string, unknown>> = {}): never {
	throw new InvariantError(rule, details);
}

/** Closes a `switch`: a new variant of the union becomes a compile error here. */
export function unreachable(value: never): never {
	throw new InvariantError("unreachable variant", { value });
}

function describeDetails(details: Readonly<Record<string, unknown>>): string {
	return JSON.stringify(details, (_key, value) => (typeof value === "bigint" ? value.toString(16) : value));
}
