import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { etcdserverpb } from "@flotilla/api";
import { Client, credentials } from "@grpc/grpc-js";
import { TAP_SOCKET } from "../member-folder.ts";
import { lastWords } from "./last-words.ts";
import type { PortRow } from "./local-ports.ts";
import { STOP_WITH_STDIN } from "./stop-request.ts";

const PROGRAM = fileURLToPath(new URL("../../../../bin/flotilla", import.meta.url));
const STATUS_PATH = "/etcdserverpb.Maintenance/Status";
const STATUS_MS = 1_000;
const READY_POLL_MS = 50;

export interface LocalStatus {
	readonly id: bigint;
	readonly leads: boolean;
	readonly hasLeader: boolean;
	readonly term: number;
	readonly revision: number;
}

/** One member of the local cluster: a process of its own, whose log goes to a file beside its data. */
export class LocalMember {
	readonly row: PortRow;
	readonly logFile: string;
	/** Where its event tap is read while it runs. */
	readonly tapPath: string;
	/** Called when the process ended though nobody here asked for it. */
	onLoss: (how: string) => void = () => {};
	private readonly args: readonly string[];
	private readonly client: Client;
	private child: ChildProcess | null = null;
	private exited: Promise<void> = Promise.resolve();
	private expectsEnd = false;
	private serves = false;

	constructor(row: PortRow, folder: string, initialCluster: string) {
		this.row = row;
		this.logFile = join(folder, `${row.name}.log`);
		this.tapPath = join(folder, row.name, TAP_SOCKET);
		const clientUrl = `http://${this.endpoint}`;
		const peerUrl = `http://127.0.0.1:${row.peerPort}`;
		this.args = [
			`--name=${row.name}`,
			`--data-dir=${join(folder, row.name)}`,
			`--listen-client-urls=${clientUrl}`,
			`--advertise-client-urls=${clientUrl}`,
			`--listen-peer-urls=${peerUrl}`,
			`--initial-advertise-peer-urls=${peerUrl}`,
			`--initial-cluster=${initialCluster}`,
			"--initial-cluster-token=flotilla-local",
		];
		// A member that was killed is asked again soon: it is back within a second.
		const options = { "grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 200 };
		this.client = new Client(this.endpoint, credentials.createInsecure(), options);
	}

	get endpoint(): string {
		return `127.0.0.1:${this.row.clientPort}`;
	}

	get state(): "starting" | "serving" | "down" {
		// What was killed is not waited for.
		if (this.child === null || (this.expectsEnd && !this.serves)) return "down";
		return this.serves ? "serving" : "starting";
	}

	/** Resolves with null when the member serves, or with what its log says when it ended before. */
	async start(): Promise<string | null> {
		const log = openSync(this.logFile, "a", 0o600);
		const { size: logOffset } = fstatSync(log);
		// A group of its own: Ctrl-C reaches the program that started it alone, which then stops the members in order. Its standard
		// input is tied to that program, so that it never outlives it.
		const child = spawn(PROGRAM, this.args, { stdio: ["pipe", log, log], detached: true, env: memberEnvironment() });
		closeSync(log);
		child.stdin?.on("error", () => {});
		this.child = child;
		this.serves = false;
		this.expectsEnd = false;
		this.exited = new Promise((resolve) => {
			const end = (how: string): void => {
				if (this.child !== child) return;
				const lost = this.serves && !this.expectsEnd;
				this.child = null;
				this.serves = false;
				resolve();
				const words = lastWords(this.logFile, logOffset);
				if (lost) this.onLoss(words === null ? how : `${how}: ${words}`);
			};
			child.once("exit", (code, signal) => end(signal === null ? `exit status ${String(code)}` : signal));
			child.once("error", (error) => end(error.message));
		});
		while ((await this.status()) === null) {
			if (this.child !== child) return lastWords(this.logFile, logOffset) ?? `it ended without a word; its log: ${this.logFile}`;
			await pause(READY_POLL_MS);
		}
		this.serves = this.child === child;
		return null;
	}

	/** As a crash would: nothing is handed over, nothing is flushed. */
	kill(): void {
		this.expectsEnd = true;
		this.serves = false;
		this.child?.kill("SIGKILL");
	}

	/** Resolves when the process has ended; what takes longer than `patienceMs` is killed. */
	async stop(patienceMs: number): Promise<void> {
		this.expectsEnd = true;
		const { child } = this;
		child?.kill("SIGTERM");
		const timer = setTimeout(() => child?.kill("SIGKILL"), patienceMs);
		await this.exited;
		clearTimeout(timer);
		this.client.close();
	}

	/** Null when the member does not answer. */
	status(): Promise<LocalStatus | null> {
		return new Promise((resolve) => {
			this.client.makeUnaryRequest(
				STATUS_PATH,
				(bytes: Buffer) => bytes,
				(bytes: Buffer) => etcdserverpb.StatusResponse.decode(bytes),
				Buffer.alloc(0),
				{ deadline: Date.now() + STATUS_MS },
				(error, response) => resolve(error === null && response !== undefined ? describe(response) : null),
			);
		});
	}
}

function describe({ header, leader, raftTerm }: etcdserverpb.StatusResponse): LocalStatus | null {
	if (header === null) return null;
	const { memberId: id, revision } = header;
	return { id, leads: leader === id, hasLeader: leader !== 0n, term: raftTerm, revision };
}

/** Variables for a single etcd are not meant for these members, and would clash with their flags. */
function memberEnvironment(): NodeJS.ProcessEnv {
	const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ETCD_"));
	return { ...Object.fromEntries(kept), [STOP_WITH_STDIN]: "1" };
}
