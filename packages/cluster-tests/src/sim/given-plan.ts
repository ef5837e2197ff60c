import { drawPlan, type RunPlan } from "./plan.ts";

/** The plan that a failure has printed; a text when that is none. A plan of another version of the simulator lacks what came since. */
export function givenPlan(json: string): RunPlan | string {
	let given: unknown;
	try {
		given = JSON.parse(json);
	} catch {
		return "it is no JSON";
	}
	if (typeof given !== "object" || given === null || !("seed" in given) || typeof given.seed !== "string") return "it names no seed";
	const missing = lacks(given, drawPlan(given.seed, { faultyMs: 0, operationsMin: 0 }), "");
	return missing === null ? (given as RunPlan) : `it lacks ${missing}`;
}

/** The first member of `model` that is not in `given`, or of another kind there. */
function lacks(given: object, model: object, path: string): string | null {
	for (const [name, value] of Object.entries(model)) {
		const here = `${path}${name}`;
		const found: unknown = Reflect.get(given, name);
		// What may be absent is null in one of the two.
		if (value === null && found !== undefined) continue;
		if (found === undefined || found === null || typeof found !== typeof value || Array.isArray(found) !== Array.isArray(value))
			return here;
		if (typeof value !== "object" || Array.isArray(value)) continue;
		const inner = lacks(found as object, value as object, `${here}.`);
		if (inner !== null) return inner;
	}
	return null;
}
