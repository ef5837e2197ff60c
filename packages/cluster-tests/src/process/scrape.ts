/** Reads /metrics of a member as a scraper does. */

/** By name and labels, as written. */
export type Values = ReadonlyMap<string, number>;

export async function scrape(url: string): Promise<Values> {
	const response = await fetch(`${url}/metrics`);
	const type = response.headers.get("content-type") ?? "";
	if (response.status !== 200 || !type.startsWith("text/plain; version=0.0.4")) throw new Error(`${response.status}, ${type}`);
	const values = new Map<string, number>();
	for (const line of (await response.text()).split("\n")) {
		if (line === "" || line.startsWith("#")) continue;
		const at = line.lastIndexOf(" ");
		const name = line.slice(0, at);
		if (values.has(name)) throw new Error(`${name} is there more than once`);
		values.set(name, Number(line.slice(at + 1)));
	}
	return values;
}

export function value(values: Values, name: string): number {
	const found = values.get(name);
	if (found === undefined) throw new Error(`no ${name}`);
	return found;
}

/** Of one name, whatever its labels. */
export function named(values: Values, name: string): number[] {
	return [...values].filter(([each]) => each === name || each.startsWith(`${name}{`)).map(([, each]) => each);
}
