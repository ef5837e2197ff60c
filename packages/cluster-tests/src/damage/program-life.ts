/** A life of the program itself on a data folder: a process of a test build, its ports, its exit status and its last words. */
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { KvClient } from "../client/kv-client.ts";
import { TUNED_MEMBER } from "../process/cluster.ts";
import { MemberProcess } from "../process/member-process.ts";
import type { TunedMember } from "../process/tuned-member.ts";
import { DAMAGE_CONFIG } from "./life.ts";
import type { SeenOutcome } from "./life-process.ts";
import { tablesOf, textOfTables } from "./tables.ts";

const START_MS = 60_000;

export async function programLife(dataDir: string): Promise<SeenOutcome> {
	const [client = 0, peer = 0] = await freePorts(2);
	const { walSegmentBytes, walKeepEntries, walKeepBytes, snapshotCount, floorBytes } = DAMAGE_CONFIG;
	const member: TunedMember = {
		...{ self: 0, names: [DAMAGE_CONFIG.name], clientUrls: [`http://127.0.0.1:${client}`], peerUrls: [`http://127.0.0.1:${peer}`] },
		...{ listenPeerUrl: `http://127.0.0.1:${peer}`, dataDir },
		tuning: { walSegmentBytes, walKeepEntries, walKeepBytes, snapshotCount, floorBytes },
	};
	const program = new MemberProcess({
		name: DAMAGE_CONFIG.name,
		program: process.execPath,
		args: ["--conditions=@flotilla/source", TUNED_MEMBER, JSON.stringify(member)],
		environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
		logFile: join(dataDir, "log"),
		readyText: "ready to serve client requests",
	});
	try {
		await program.start(START_MS);
		return await ask(`127.0.0.1:${client}`);
	} catch (error) {
		if (program.running) return { kind: "stuck", text: (error as Error).message };
		const status = await program.exited();
		const words = lastWords(program.tail);
		return typeof status === "number" ? { kind: "refused", text: words } : { kind: "crashed", text: `${status}: ${words}` };
	} finally {
		await program.dispose();
	}
}

async function ask(address: string): Promise<SeenOutcome> {
	const kv = new KvClient(address);
	try {
		const { hash, hash_revision, compact_revision } = await kv.hashKv(0, { timeoutMs: 10_000 });
		const tables = textOfTables(await tablesOf(kv));
		return { kind: "serves", contents: { revision: Number(hash_revision), hash, compactRevision: Number(compact_revision), tables } };
	} finally {
		kv.close();
	}
}

/** Of an error that nobody caught, its message; of a refusal, what its line of the log says. */
function lastWords(tail: string): string {
	const lines = tail.split("\n").filter((line) => /error|fatal|panic/i.test(line));
	const last = lines.at(-1) ?? tail;
	return (said(last) ?? last.replace(/^[A-Za-z]*Error: /, "")).slice(0, 1_000);
}

/** Null: no line of the log. */
function said(line: string): string | null {
	try {
		const { error, msg } = JSON.parse(line) as { readonly error?: string; readonly msg?: string };
		return error ?? msg ?? null;
	} catch {
		return null;
	}
}
