/** The data folder of the local cluster: whose it is, which ports it was made with, and whether it can be gone on with. */
import { existsSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolders } from "../make-folders.ts";
import { MEMBER_FOLDER } from "../member-folder.ts";
import { choosePorts, findTakenPort, type PortChoice, type PortRow } from "./local-ports.ts";
import { bad, good, type Parsed } from "./parsed.ts";

const PLAN_FILE = "cluster.json";
const PLAN_FORMAT = 1;

interface SavedPlan {
	readonly format: typeof PLAN_FORMAT;
	/** All members have served once: from then on a member without data has lost it. */
	readonly served: boolean;
	readonly members: readonly PortRow[];
}

export interface LocalPlan {
	readonly members: readonly PortRow[];
	readonly moved: PortChoice["moved"];
	/** There was no cluster in the folder before. */
	readonly fresh: boolean;
}

/** `wanted`: the ports for a new cluster. An older one keeps its own; that is refused only where a user asked for others. */
export async function planLocalCluster(folder: string, wanted: readonly PortRow[], wantedByUser: boolean): Promise<Parsed<LocalPlan>> {
	const saved = await readPlan(folder);
	if (!saved.ok) return saved;
	if (saved.value === null) {
		const { members, moved } = await choosePorts(wanted);
		try {
			makeFolders(folder);
		} catch (error) {
			return bad((error as Error).message);
		}
		await savePlan(folder, { format: PLAN_FORMAT, served: false, members });
		return good({ members, moved, fresh: true });
	}
	const { members, served } = saved.value;
	const problem = refuseWishes(folder, members, wanted, wantedByUser) ?? (served ? refuseLoss(folder, members) : null);
	if (problem !== null) return bad(problem);
	const taken = await findTakenPort(members);
	if (taken !== null) {
		return bad(
			`port ${taken.port} of ${taken.member} is taken, and the cluster in ${folder} keeps its ports. Perhaps it runs already; otherwise stop what uses the port, or start another cluster in another folder with --data-dir`,
		);
	}
	return good({ members, moved: [], fresh: false });
}

export async function rememberServed(folder: string, members: readonly PortRow[]): Promise<void> {
	await savePlan(folder, { format: PLAN_FORMAT, served: true, members });
}

async function readPlan(folder: string): Promise<Parsed<SavedPlan | null>> {
	let names: readonly string[];
	try {
		names = await readdir(folder);
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") return good(null);
		return bad(code === "ENOTDIR" ? `${folder} is not a folder` : message);
	}
	const foreign = names.find((name) => name !== PLAN_FILE && name !== `${PLAN_FILE}.tmp`);
	if (!names.includes(PLAN_FILE)) {
		if (foreign === undefined) return good(null);
		return bad(
			`${folder} holds ${JSON.stringify(foreign)} but no ${PLAN_FILE}: it was not made by this program, and nothing in it was touched. Name another folder with --data-dir`,
		);
	}
	return parsePlan(join(folder, PLAN_FILE), await readFile(join(folder, PLAN_FILE), "utf8"));
}

function parsePlan(path: string, text: string): Parsed<SavedPlan> {
	const unreadable = `${path} cannot be understood: it is damaged, or not of this program. Name another folder with --data-dir`;
	let plan: SavedPlan;
	try {
		plan = JSON.parse(text) as SavedPlan;
	} catch {
		return bad(unreadable);
	}
	const { format, members } = plan ?? {};
	if (typeof format === "number" && format !== PLAN_FORMAT) {
		return bad(`${path} has format ${String(format)}, this version reads format ${String(PLAN_FORMAT)}. Use the version that made it`);
	}
	const sound = format === PLAN_FORMAT && Array.isArray(members) && members.length > 0 && members.every(isPortRow);
	return sound ? good(plan) : bad(unreadable);
}

function isPortRow(row: unknown): boolean {
	const { name, clientPort, peerPort } = (row ?? {}) as Partial<PortRow>;
	return typeof name === "string" && /^[\w-]+$/.test(name) && isPort(clientPort) && isPort(peerPort);
}

function isPort(port: unknown): boolean {
	return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536;
}

async function savePlan(folder: string, plan: SavedPlan): Promise<void> {
	const path = join(folder, PLAN_FILE);
	await writeFile(`${path}.tmp`, `${JSON.stringify(plan, null, "\t")}\n`, { mode: 0o600 });
	await rename(`${path}.tmp`, path);
}

function refuseWishes(folder: string, members: readonly PortRow[], wanted: readonly PortRow[], wantedByUser: boolean): string | null {
	if (!wantedByUser) return null;
	for (const [at, row] of members.entries()) {
		for (const kind of ["clientPort", "peerPort"] as const) {
			const wish = wanted[at]?.[kind] ?? 0;
			if (wish === 0 || wish === row[kind]) continue;
			return `the cluster in ${folder} was made with port ${row[kind]} for ${row.name}, not ${wish}: leave the ports out, or name another folder with --data-dir`;
		}
	}
	return null;
}

/** A member that starts empty again would have forgotten what it promised to the others. */
function refuseLoss(folder: string, members: readonly PortRow[]): string | null {
	const lost = members.find(({ name }) => !existsSync(join(folder, name, MEMBER_FOLDER)));
	if (lost === undefined) return null;
	return `the data of ${lost.name} is gone (${join(folder, lost.name)}), and a member must not start without what it has promised. Restore it, or remove ${folder} as a whole to begin anew`;
}
