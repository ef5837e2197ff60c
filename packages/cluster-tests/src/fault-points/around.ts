/**
 * A member's parts with fault points around them: what a test build hands to `startMember`. The product itself holds none of
 * this, so a normal member cannot be armed.
 */
import { randomInt } from "node:crypto";
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import {
	type FileCompletion,
	type FileDisk,
	type FileOp,
	Grpc,
	type MethodHandler,
	type MethodTable,
	type OpenStore,
	type PartsAround,
	type PeerTransport,
	type StoreCompletion,
	type StoreHouse,
	type StoreOp,
	type StreamCall,
	type UnaryCall,
} from "@flotilla/server/internal";
import { type PointName, PointTable } from "./point-table.ts";

const PANIC_STATUS = 2;
const WATCH = "/etcdserverpb.Watch/Watch";

/** Resolves when the port can be asked. */
export async function openFaultPoints(port: number): Promise<PartsAround> {
	const table = new PointTable();
	const worker = new Worker(new URL("./fault-port.ts", import.meta.url), { workerData: { memory: table.memory, port } });
	// It ends with the process, and does not keep it.
	worker.unref();
	await new Promise<void>((resolve, reject) => {
		worker.once("message", () => resolve());
		worker.once("error", reject);
	});
	return partsAround((name) => passed(table, name));
}

/** Null, or what went wrong at this point; it may also sleep, or never come back. */
export type PassPoint = (name: PointName) => string | null;

function passed(table: PointTable, name: PointName): string | null {
	const action = table.pass(name, () => randomInt(100));
	switch (action?.kind) {
		case undefined:
			return null;
		case "error":
			return action.error;
		case "sleep":
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
			return null;
		case "panic":
			writeSync(2, `panic at fault point ${name}\n`);
			return process.exit(PANIC_STATUS);
	}
}

/** `later`: runs its argument once, in a later turn. */
export function partsAround(pass: PassPoint, later: (work: () => void) => void = setImmediate): PartsAround {
	return {
		disk: (disk) => new PointedDisk(disk, pass, later),
		stores: (stores) => pointedStores(stores, pass, later),
		transport: (transport) => pointedTransport(transport, pass),
		methods: (methods) => pointedMethods(methods, pass),
	};
}

const BEFORE_FILE: Partial<Record<FileOp["kind"], PointName>> = {
	write: "wal.beforeWrite",
	create: "wal.beforeCreate",
	writeFile: "wal.beforeWriteFile",
	rename: "wal.beforeRename",
	sync: "wal.beforeSync",
	syncFolder: "wal.beforeSyncFolder",
	unlink: "wal.beforeUnlink",
	read: "wal.beforeRead",
};
const AFTER_FILE: Partial<Record<FileOp["kind"], PointName>> = { write: "wal.afterWrite", rename: "wal.afterRename" };

class PointedDisk implements FileDisk {
	onCompletion: (completion: FileCompletion) => void = () => {};
	private readonly disk: FileDisk;
	private readonly pass: PassPoint;
	private readonly later: (work: () => void) => void;
	/** Of operations under way: the point behind each. */
	private readonly behind = new Map<number, PointName>();

	constructor(disk: FileDisk, pass: PassPoint, later: (work: () => void) => void) {
		this.disk = disk;
		this.pass = pass;
		this.later = later;
		disk.onCompletion = (completion) => {
			const point = this.behind.get(completion.id);
			this.behind.delete(completion.id);
			const error = point === undefined ? null : pass(point);
			this.onCompletion(error === null ? completion : { ...completion, error });
		};
	}

	submit(op: FileOp): void {
		const before = BEFORE_FILE[op.kind];
		const error = before === undefined ? null : this.pass(before);
		if (error !== null) {
			this.later(() => this.onCompletion({ id: op.id, error, bytes: 0, data: null, names: null }));
			return;
		}
		const after = AFTER_FILE[op.kind];
		if (after !== undefined) this.behind.set(op.id, after);
		this.disk.submit(op);
	}
}

const BEFORE_STORE: Partial<Record<StoreOp["kind"], PointName>> = {
	batch: "store.beforeBatch",
	barrier: "store.beforeBarrier",
	floor: "store.beforeFloor",
	readView: "store.beforeReadView",
};
const AFTER_STORE: Partial<Record<StoreOp["kind"], PointName>> = { batch: "store.afterBatch", floor: "store.afterFloor" };

function pointedStores(stores: StoreHouse, pass: PassPoint, later: (work: () => void) => void): StoreHouse {
	return {
		list: (done) => stores.list(done),
		open: (generation, create, done) =>
			stores.open(generation, create, (opening) =>
				done(opening.ok ? { ok: true, store: pointedStore(opening.store, pass, later) } : opening),
			),
		remove: (generation, done) => stores.remove(generation, done),
		sync: (done) => stores.sync(done),
	};
}

function pointedStore(store: OpenStore, pass: PassPoint, later: (work: () => void) => void): OpenStore {
	const behind = new Map<number, PointName>();
	let listener: (completion: StoreCompletion) => void = () => {};
	store.onCompletion = (completion) => {
		const point = behind.get(completion.id);
		behind.delete(completion.id);
		const error = point === undefined ? null : pass(point);
		listener(error === null ? completion : { ...completion, error });
	};
	return {
		get: (key) => store.get(key),
		submit: (op) => {
			const before = BEFORE_STORE[op.kind];
			const error = before === undefined ? null : pass(before);
			if (error !== null) {
				later(() => listener({ id: op.id, error, rows: null, records: null }));
				return;
			}
			const after = AFTER_STORE[op.kind];
			if (after !== undefined) behind.set(op.id, after);
			store.submit(op);
		},
		get onCompletion() {
			return listener;
		},
		set onCompletion(taker) {
			listener = taker;
		},
		sizeBytes: () => store.sizeBytes(),
		close: (done) => store.close(done),
	};
}

/** A message that meets an error is lost, as on a network. */
function pointedTransport(transport: PeerTransport, pass: PassPoint): PeerTransport {
	return {
		send: (messages) => {
			const sent = messages.filter(({ kind }) => pass(kind === "snapshotPart" ? "snapshot.beforeSend" : "peers.beforeSend") === null);
			if (sent.length > 0) transport.send(sent);
		},
		setMembers: (members, removed) => transport.setMembers(members, removed),
		close: () => transport.close(),
	};
}

function pointedMethods(methods: MethodTable, pass: PassPoint): MethodTable {
	return new Map([...methods].map(([path, handler]) => [path, pointedMethod(path, handler, pass)]));
}

function pointedMethod(path: string, handler: MethodHandler, pass: PassPoint): MethodHandler {
	const unavailable = (error: string) => ({ code: Grpc.unavailable, message: `fault point: ${error}` });
	if (handler.shape === "unary") {
		const { handle } = handler;
		const pointed = (call: UnaryCall): UnaryCall =>
			replacing(call, "respond", (message: Uint8Array) => {
				const error = pass("front.beforeAnswer");
				if (error === null) call.respond(message);
				else call.fail(unavailable(error));
			});
		return { shape: "unary", handle: (call) => handle(pointed(call)) };
	}
	if (path !== WATCH) return handler;
	const { handle } = handler;
	const pointed = (call: StreamCall): StreamCall =>
		replacing(call, "send", (message: Uint8Array) => {
			const error = pass("watch.beforeSend");
			if (error === null) return call.send(message);
			call.end(unavailable(error));
			return true;
		});
	return { ...handler, handle: (call: StreamCall) => handle(pointed(call)) };
}

/** The same object but for one method; its other methods go on working on the object itself. */
function replacing<T extends object, Name extends keyof T>(object: T, name: Name, method: T[Name]): T {
	return new Proxy(object, {
		get(target, key) {
			if (key === name) return method;
			const value: unknown = Reflect.get(target, key, target);
			return typeof value === "function" ? value.bind(target) : value;
		},
	});
}
