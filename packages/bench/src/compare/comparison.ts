/**
 * Clusters side by side, flotilla and etcd or flotilla with one thing and another: fresh ones each round, the rows in turn, and who
 * goes first changes from row to row.
 */
import type { RunHooks } from "../load/run.ts";
import { type Equipment, nameOf } from "./equipment.ts";
import { type Measured, measureRow, type Pace } from "./measure-row.ts";
import { PROCESSOR_TIME, type Row, type RowValue } from "./rows.ts";
import { type Program, Trio } from "./trio.ts";

/** Who is measured. `equipment`: null beside etcd. */
export interface Contender {
	readonly program: Program;
	readonly equipment: Equipment | null;
}

export interface ComparedValue {
	readonly row: string;
	readonly title: string;
	readonly value: RowValue;
	/** One a round; null where the row failed. */
	readonly flotilla: readonly (number | null)[];
	/** Empty without etcd. */
	readonly etcd: readonly (number | null)[];
	/** flotilla's by etcd's, of the rounds in which both have one. */
	readonly ratios: readonly number[];
	readonly clientBound: boolean;
}

/** What flotilla reaches with each equipment, and its share of what it reaches with the first. */
export interface CostValue {
	readonly row: string;
	readonly title: string;
	readonly value: RowValue;
	readonly sides: ReadonlyArray<{
		readonly name: string;
		/** One a round; null where the row failed. */
		readonly values: readonly (number | null)[];
		/** By the first side's, of the rounds in which both have one. */
		readonly ratios: readonly number[];
	}>;
	readonly clientBound: boolean;
}

export interface CompareOptions {
	readonly rounds: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
	readonly rows: readonly Row[];
	/** The first one is what the others are compared with, unless etcd is among them. */
	readonly contenders: readonly Contender[];
}

/** `who`: by its name. */
export interface CompareHooks extends RunHooks {
	/** A row begins. */
	begins(round: number, row: Row, who: string): void;
	measured(round: number, row: Row, who: string, measured: Measured): void;
	/** It is left out; the others go on. */
	failed(round: number, row: Row, who: string, error: Error): void;
	/** A cluster has done what it was started for. */
	done(trio: Trio): void;
}

type Sides = ReadonlyMap<string, (Measured | null)[]>;
/** By row and name, one a round. */
export type Results = ReadonlyMap<string, Sides>;

export async function compare(options: CompareOptions, hooks: CompareHooks): Promise<Results> {
	const names = options.contenders.map(nameOfContender);
	const results: Results = new Map(options.rows.map(({ id }) => [id, new Map(names.map((name) => [name, []]))]));
	for (let round = 0; round < options.rounds; round++) await oneRound(round, options, results, hooks);
	return results;
}

export function besideEtcd(rows: readonly Row[], results: Results): ComparedValue[] {
	return rows.flatMap((row) => row.values.map((value) => comparedValue(row, value, results.get(row.id) as Sides)));
}

/** Processor time is told of every row: it says most of what a thing costs, and bears other work on the machine best. */
export function costs(rows: readonly Row[], results: Results): CostValue[] {
	return rows.flatMap((row) => {
		const values = row.values.some(({ name }) => name === PROCESSOR_TIME.name) ? row.values : [...row.values, PROCESSOR_TIME];
		return values.map((value) => costValue(row, value, results.get(row.id) as Sides));
	});
}

export function nameOfContender({ program, equipment }: Contender): string {
	return equipment === null ? program : nameOf(equipment);
}

async function oneRound(round: number, options: CompareOptions, results: Results, hooks: CompareHooks): Promise<void> {
	const { contenders, rows } = options;
	// Idle clusters cost processor time, too: of more than two there is one at a time.
	const together = contenders.length <= 2;
	const kept = new Map<Contender, Trio>();
	try {
		if (together) for (const contender of contenders) kept.set(contender, await startOf(contender));
		for (const [at, row] of rows.entries()) {
			for (const contender of inTurn(contenders, round + at)) {
				const who = nameOfContender(contender);
				hooks.begins(round, row, who);
				let measured: Measured | null = null;
				try {
					const pace = { ...options, rate: rateOf(row, results, round) };
					measured = await measureOn(kept.get(contender) ?? contender, row, pace, hooks);
					hooks.measured(round, row, who, measured);
				} catch (error) {
					hooks.failed(round, row, who, error as Error);
				}
				results.get(row.id)?.get(who)?.push(measured);
			}
		}
	} finally {
		for (const trio of kept.values()) hooks.done(trio);
		await Promise.all([...kept.values()].map((trio) => trio.dispose()));
	}
}

/** On a cluster that is there, or on one of its own. */
async function measureOn(where: Trio | Contender, row: Row, pace: Pace, hooks: CompareHooks): Promise<Measured> {
	const trio = where instanceof Trio ? where : await startOf(where);
	try {
		const target = await trio.target();
		try {
			return await measureRow(row, trio, target, pace, hooks);
		} finally {
			target.close();
		}
	} finally {
		if (trio !== where) {
			hooks.done(trio);
			await trio.dispose();
		}
	}
}

function startOf({ program, equipment }: Contender): Promise<Trio> {
	return Trio.start(program, equipment);
}

/** Forwards and backwards, and each comes first in its turn. */
function inTurn(contenders: readonly Contender[], turn: number): readonly Contender[] {
	const first = Math.floor(turn / 2) % contenders.length;
	const moved = [...contenders.slice(first), ...contenders.slice(0, first)];
	return turn % 2 === 0 ? moved : moved.toReversed();
}

/** Of an open loop, by what was reached in this round; 0 for other rows. */
function rateOf({ measure, id }: Row, results: Results, round: number): number {
	if (measure.kind !== "openLoop") return 0;
	const reached = results.get(measure.of);
	const [first = []] = reached?.values() ?? [];
	const rate = reached?.get("etcd")?.[round]?.values.rate ?? first[round]?.values.rate;
	if (rate === undefined) throw new Error(`${id} needs a rate of the row ${measure.of}, and there is none`);
	return Math.max(1, Math.round(rate * measure.share));
}

function costValue(row: Row, value: RowValue, of: Sides): CostValue {
	const all = [...of].map(([name, measured]) => ({ name, values: measured.map((each) => each?.values[value.name] ?? null) }));
	const [base] = all;
	const sides = all.map((side) => ({ ...side, ratios: ratiosOf(side.values, base?.values ?? []) }));
	const clientBound = [...of.values()].some((measured) => measured.some((each) => each?.clientBound === true));
	return { row: row.id, title: `${row.title}${value.label}`, value, sides, clientBound };
}

/** Of the rounds in which both have one. */
function ratiosOf(values: readonly (number | null)[], base: readonly (number | null)[]): number[] {
	return base.flatMap((theirs, round) => {
		const ours = values[round] ?? null;
		return theirs === null || ours === null || theirs === 0 ? [] : [ours / theirs];
	});
}

function comparedValue(row: Row, value: RowValue, of: Sides): ComparedValue {
	const take = (program: Program): (number | null)[] => (of.get(program) ?? []).map((measured) => measured?.values[value.name] ?? null);
	const [flotilla, etcd] = [take("flotilla"), take("etcd")];
	const ratios = ratiosOf(flotilla, etcd);
	const clientBound = [...of.values()].some((measured) => measured.some((each) => each?.clientBound === true));
	return { row: row.id, title: `${row.title}${value.label}`, value, flotilla, etcd, ratios, clientBound };
}

export function median(values: readonly number[]): number {
	const ascending = [...values].sort((a, b) => a - b);
	const middle = ascending.length >> 1;
	return ascending.length % 2 === 1
		? (ascending[middle] as number)
		: ((ascending[middle - 1] as number) + (ascending[middle] as number)) / 2;
}

/** Null where there is no goal or nothing to compare with. */
export function goalMet({ value, ratios, flotilla }: ComparedValue): boolean | null {
	const judged = value.goalIsOwn === true ? flotilla.filter((each) => each !== null) : ratios;
	if (value.goal === null || judged.length === 0) return null;
	return value.rises ? median(judged) >= value.goal : median(judged) <= value.goal;
}
