/** What `npm start` can be told, by flags (`npm start -- --data-dir x`) or by variables. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type PortRow, USUAL_PORTS } from "./local-ports.ts";
import { bad, good, type Parsed } from "./parsed.ts";

export interface LocalOptions {
	readonly help: boolean;
	/** Absolute. */
	readonly folder: string;
	readonly ports: readonly PortRow[];
	/** False: nobody named ports, any others do as well. */
	readonly portsGiven: boolean;
}

export const LOCAL_USAGE = `Usage: npm start -- [flags], or: flotilla start-local [flags]

  Three members on this machine, a live table of them, and keys to break and mend them.

  --data-dir FOLDER        where everything lies; default flotilla-data (variable FLOTILLA_DATA_DIR)
  --client-ports A,B,C     default 2379,22379,32379; 0 is any free port (variable FLOTILLA_CLIENT_PORTS)
  --peer-ports A,B,C       default 2380,22380,32380; 0 is any free port (variable FLOTILLA_PEER_PORTS)
`;

export function readLocalOptions(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Parsed<LocalOptions> {
	let values: { readonly [flag: string]: string | boolean | undefined };
	try {
		const text = { type: "string" } as const;
		const options = { "data-dir": text, "client-ports": text, "peer-ports": text, help: { type: "boolean", short: "h" } } as const;
		({ values } = parseArgs({ args: [...args], options, strict: true }));
	} catch (error) {
		return bad(`${(error as Error).message}\n\n${LOCAL_USAGE}`);
	}
	const given = (flag: string): string => {
		const variable = `FLOTILLA_${flag.toUpperCase().replaceAll("-", "_")}`;
		return String(values[flag] ?? environment[variable] ?? "");
	};
	const [clientPorts, peerPorts] = [readPorts("client-ports", given("client-ports")), readPorts("peer-ports", given("peer-ports"))];
	if (!clientPorts.ok) return clientPorts;
	if (!peerPorts.ok) return peerPorts;
	const ports = USUAL_PORTS.map(({ name, clientPort, peerPort }, at) => ({
		name,
		clientPort: clientPorts.value?.[at] ?? clientPort,
		peerPort: peerPorts.value?.[at] ?? peerPort,
	}));
	return good({
		help: values.help === true,
		folder: resolve(given("data-dir") || "flotilla-data"),
		ports,
		portsGiven: clientPorts.value !== null || peerPorts.value !== null,
	});
}

function readPorts(flag: string, text: string): Parsed<readonly number[] | null> {
	if (text === "") return good(null);
	const ports = text.split(",").map((port) => (/^\d{1,5}$/.test(port) ? Number(port) : Number.NaN));
	const sound = ports.length === USUAL_PORTS.length && ports.every((port) => port < 65_536);
	return sound
		? good(ports)
		: bad(`--${flag} ${JSON.stringify(text)}: need ${USUAL_PORTS.length} ports from 0 to 65535, like 2379,22379,32379`);
}
