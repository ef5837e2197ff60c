/**
 * A member whose disk or store fails at one call, by its number: it must end or refuse with words, or be none the worse, and a
 * start on what it left must serve all that was acknowledged. In memory and in virtual time.
 */
import { AlarmAction } from "@flotilla/replica";
import type { FileCompletion, FileDisk, FileOp, StoreHouse } from "@flotilla/server/internal";
import { partsAround } from "../fault-points/around.ts";
import type { Operation } from "../history/operation.ts";
import { type Ground, MemoryGround } from "./ground.ts";
import { type Contents, Life, MEMBER_ID } from "./life.ts";
import type { Master } from "./master.ts";
import { alarm } from "./other-records.ts";
import { needsFiles } from "./trials.ts";

export const CALL_FAULTS = ["failed", "short"] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

/** More than enough for segments to be cut, floors to be written, and old segments to go. */
const WRITES = 60;
const PATIENCE_US = 120_000_000;

export interface CallTrial {
	/** Calls that the member made until it ended or had written everything. */
	readonly calls: number;
	readonly acknowledged: number;
	/** How it ended; null: it went on. */
	readonly died: string | null;
	/** What is wrong, in words. */
	readonly finding: string | null;
}

/** `references`: what `referenceOf` tells. Call 0 fails never. */
export function tryCallFault(master: Master, references: readonly string[], fault: CallFault, call: number): CallTrial {
	const ground = groundOf(master);
	const around = fault === "failed" ? failing(ground, call) : short(ground, call);
	const { clock, scheduler } = ground;
	const life = new Life({ ...around.parts, clock, scheduler, close: () => ground.close() });
	const { acknowledged, asked, refused } = writeAll(life, ground, () => {});
	const died = refused ?? life.died;
	life.kill();
	const trial = { calls: around.calls(), acknowledged, died };
	const wrong = (finding: string): CallTrial => ({ ...trial, finding });
	if (died === null && acknowledged < WRITES) return wrong(`it stands still after ${acknowledged} writes`);
	const next = ground.afterKill();
	const second = new Life(next);
	const shown: string[] = [];
	const after = writeAll(second, next, (seen) => shown.push(JSON.stringify(seen)));
	const [contents] = shown;
	if (contents === undefined) return wrong(`it does not start again: ${after.refused ?? second.died ?? "no word"}`);
	const found = references.indexOf(contents);
	if (found < acknowledged || found > asked)
		return wrong(`it starts with ${contents}, which is after write ${found}, not ${acknowledged} to ${asked}`);
	if (after.acknowledged < WRITES) return wrong(`it starts again and stands still: ${second.died ?? "no word"}`);
	return { ...trial, finding: null };
}

/** What a member shows after none, one, two ... of the writes when nothing fails. */
export function referenceOf(master: Master): string[] {
	const ground = groundOf(master);
	const seen: Contents[] = [];
	const { acknowledged } = writeAll(new Life(ground), ground, (contents) => seen.push(contents));
	if (acknowledged < WRITES) throw new Error(`an undisturbed member acknowledges ${acknowledged} of ${WRITES} writes`);
	return seen.map((contents) => JSON.stringify(contents));
}

function groundOf({ files, stores }: Master): MemoryGround {
	const own = files.filter(({ path }) => !needsFiles(path));
	return new MemoryGround(new Map(own.map(({ path, content }) => [path, content])), stores);
}

interface Progress {
	readonly acknowledged: number;
	readonly asked: number;
	/** The start did not come to pass, with these words. */
	readonly refused: string | null;
}

/** Starts a life, and writes one after the other until all is written or it dies. `seen`: at the start and after each write. */
function writeAll(life: Life, ground: MemoryGround, seen: (contents: Contents) => void): Progress {
	let acknowledged = 0;
	let asked = 0;
	const write = (): void => {
		seen(life.look());
		if (asked === WRITES) return;
		const n = asked++;
		const answered = (fault: string | null): void => {
			if (fault !== null) return;
			acknowledged++;
			ground.scheduler.soon(write);
		};
		// Nothing can be put before the alarm is gone.
		if (n === 0) life.submit(alarm(AlarmAction.deactivate, MEMBER_ID), answered);
		else life.ask(operationOf(n), answered);
	};
	let refused: string | null = null;
	life.begin((outcome) => {
		if (outcome.kind === "serves") ground.scheduler.soon(write);
		else refused = outcome.text;
	});
	try {
		while (refused === null && life.died === null && acknowledged < WRITES && ground.time.nowUs < PATIENCE_US && ground.time.step());
	} catch (error) {
		life.broken(error);
	}
	if (acknowledged === WRITES) seen(life.look());
	return { acknowledged, asked, refused };
}

function operationOf(n: number): Operation & { kind: "put" | "delete" } {
	const key = `key ${n % 17}`;
	return n % 9 === 4 ? { kind: "delete", key, end: "" } : { kind: "put", key, value: `call ${n} ${"x".repeat((n * 53) % 400)}` };
}

interface Around {
	readonly parts: { readonly disk: FileDisk; readonly stores: StoreHouse };
	calls(): number;
}

/** The call returns an error: not carried out, or carried out all the same, as its place among the points says. */
function failing(ground: Ground, at: number): Around {
	let calls = 0;
	const around = partsAround(
		() => (++calls === at ? "EIO" : null),
		(work) => ground.scheduler.soon(work),
	);
	return { parts: { disk: around.disk(ground.disk), stores: around.stores(ground.stores) }, calls: () => calls };
}

/** Half of the write is carried out, and its length told as if nothing had happened. */
function short(ground: Ground, at: number): Around {
	let calls = 0;
	const disk: FileDisk = {
		onCompletion: () => {},
		submit: (op: FileOp) => {
			if (op.kind === "write" && ++calls === at) ground.disk.submit({ ...op, data: op.data.subarray(0, op.data.length >> 1) });
			else ground.disk.submit(op);
		},
	};
	ground.disk.onCompletion = (completion: FileCompletion) => disk.onCompletion(completion);
	return { parts: { disk, stores: ground.stores }, calls: () => calls };
}
