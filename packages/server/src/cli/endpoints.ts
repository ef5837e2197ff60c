/** Members that a tool of the command line talks to, as they are named in a call. */

const ENDPOINT = /^(?:https?:\/\/)?(?:\[[\da-fA-F:.]+(?:%[\w.-]+)?\]|[\w.-]+):(\d{1,5})$/;
const PORT_MAX = 65_535;

/** With or without a scheme. Throws with the reason: the client library would take port 443 where none is named, and search for a name with blanks. */
export function readEndpoints(flag: string, text: string): readonly string[] {
	const endpoints = text.split(",").filter((endpoint) => endpoint !== "");
	for (const endpoint of endpoints) {
		const port = Number(ENDPOINT.exec(endpoint)?.[1] ?? 0);
		if (port < 1 || port > PORT_MAX) throw new Error(`${flag} ${endpoint}: need HOST:PORT`);
	}
	return endpoints;
}
