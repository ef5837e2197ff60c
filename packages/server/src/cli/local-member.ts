import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { etcdserverpb } from "@flotilla/api";
import { Client, credentials } from "@grpc/grpc-js";
import type { PortRow } from "./local-ports.ts";
import { STOP_WITH_STDIN } from "./stop-with-parent.ts";

const PROGRAM = fileURLToPath(new URL("../../../../bin/flotilla", import.meta.url));
const START_MS = 30_000;
const STATUS_MS = 1_000;

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
	private readonly args: readonly string[];
	private readonly client: Client;
	private child: ChildProcess | null = null;
	private exited: Promise<void> = Promise.resolve();

	constructor(row: PortRow, folder: string, initialCluster: string) {
		this.row = row;
		this.logFile = join(folder, `${row.name}.log`);
		const clientUrl = `http://127.0.0.1:${row.clientPort}`;
		const peerUrl = `http://127.0.0.1:${row.peerPort}`;
		this.args = [
			...["--name", row.name, "--data-dir", join(folder, row.name)],
			...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
			...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
			...["--initial-cluster", initialCluster, "--initial-cluster-token", "flotilla-local"],
		];
		this.client = new Client(this.endpoint, credentials.createInsecure(), { "grpc.max_reconnect_backoff_ms": 500 });
	}

	get endpoint(): string {
		return `127.0.0.1:${this.row.clientPort}`;
	}

	get running(): boolean {
		return this.child !== null;
	}

	/** Resolves when the member serves; rejects when it ends before, or does not serve in time. */
	async start(): Promise<void> {
		const log = openSync(this.logFile, "a", 0o600);
		// A group of its own: Ctrl-C reaches this program alone, which then stops the members in order. Its standard input is
		// tied to this program, so that it never outlives it.
		const child = spawn(PROGRAM, this.args, {
			stdio: ["pipe", log, log],
			detached: true,
			env: { ...process.env, [STOP_WITH_STDIN]: "1" },
		});
		closeSync(log);
		this.child = child;
		this.exited = new Promise((resolve) => {
			const end = (): void => {
				if (this.child === child) this.child = null;
				resolve();
			};
			child.once("exit", end);
			child.once("error", end);
		});
		const deadline = performance.now() + START_MS;
		while ((await this.status()) === null) {
			if (this.child !== child) throw new Error(`${this.row.name} ended while it started; its last words are in ${this.logFile}`);
			if (performance.now() > deadline) throw new Error(`${this.row.name} does not serve after ${START_MS / 1_000} s; see ${this.logFile}`);
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}

	/** As a crash would: nothing is handed over, nothing is flushed. */
	kill(): void {
		this.child?.kill("SIGKILL");
	}

	async stop(patienceMs: number): Promise<void> {
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
				"/etcdserverpb.Maintenance/Status",
				(bytes: Buffer) => bytes,
				(bytes: Buffer) => etcdserverpb.StatusResponse.decode(bytes),
				Buffer.alloc(0),
				{ deadline: Date.now() + STATUS_MS },
				(error, response) => {
					const { header, leader, raftTerm } = response ?? {};
					if (error !== null || header === null || header === undefined || leader === undefined) return resolve(null);
					return resolve({
						id: header.memberId,
						leads: leader === header.memberId,
						hasLeader: leader !== 0n,
						term: raftTerm ?? 0,
						revision: header.revision,
					});
				},
			);
		});
	}
}
