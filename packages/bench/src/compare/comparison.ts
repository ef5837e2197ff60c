/** flotilla and etcd side by side: fresh clusters each round, the rows in turn, and who goes first changes from row to row. */
import { Target } from "../client/target.ts";
import type { RunHooks } from "../load/run.ts";
import { type Measured, measureRow } from "./measure-row.ts";
import type { Row, RowValue } from "./rows.ts";
import { type Program, Trio } from "./trio.ts";

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

export interface CompareOptions {
	readonly rounds: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
	readonly rows: readonly Row[];
	readonly programs: readonly Program[];
}

export interface CompareHooks extends RunHooks {
	/** A row begins. */
	begins(round: number, row: Row, program: Program): void;
	measured(round: number, row: Row, program: Program, measured: Measured): void;
	/** It is left out; the others go on. */
	failed(round: number, row: Row, program: Program, error: Error): void;
}

type Results = Map<string, Map<Program, (Measured | null)[]>>;

export async function compare(options: CompareOptions, hooks: CompareHooks): Promise<ComparedValue[]> {
	const results: Results = new Map(options.rows.map(({ id }) => [id, new Map(options.programs.map((program) => [program, []]))]));
	for (let round = 0; round < options.rounds; round++) await oneRound(round, options, results, hooks);
	return options.rows.flatMap((row) =>
		row.values.map((value) => comparedValue(row, value, results.get(row.id) as Map<Program, (Measured | null)[]>)),
	);
}

async function oneRound(round: number, options: CompareOptions, results: Results, hooks: CompareHooks): Promise<void> {
	const { programs, rows, seconds, warmUpSeconds } = options;
	const trios: Trio[] = [];
	try {
		for (const program of programs) trios.push(await Trio.start(program));
		for (const [at, row] of rows.entries()) {
			for (const trio of (round + at) % 2 === 0 ? trios : trios.toReversed()) {
				hooks.begins(round, row, trio.program);
				const target = new Target(trio.endpoints);
				let measured: Measured | null = null;
				try {
					measured = await measureRow(row, trio, target, { seconds, warmUpSeconds, rate: rateOf(row, results, round) }, hooks);
					hooks.measured(round, row, trio.program, measured);
				} catch (error) {
					hooks.failed(round, row, trio.program, error as Error);
				} finally {
					target.close();
				}
				results.get(row.id)?.get(trio.program)?.push(measured);
			}
		}
	} finally {
		await Promise.all(trios.map((trio) => trio.dispose()));
	}
}

/** Of an open loop, by what was reached in this round; 0 for other rows. */
function rateOf({ measure, id }: Row, results: Results, round: number): number {
	if (measure.kind !== "openLoop") return 0;
	const reached = results.get(measure.of);
	const rate = reached?.get("etcd")?.[round]?.values.rate ?? reached?.get("flotilla")?.[round]?.values.rate;
	if (rate === undefined) throw new Error(`${id} needs a rate of the row ${measure.of}, and there is none`);
	return Math.max(1, Math.round(rate * measure.share));
}

function comparedValue(row: Row, value: RowValue, of: ReadonlyMap<Program, readonly (Measured | null)[]>): ComparedValue {
	const take = (program: Program): (number | null)[] => (of.get(program) ?? []).map((measured) => measured?.values[value.name] ?? null);
	const [flotilla, etcd] = [take("flotilla"), take("etcd")];
	const ratios = etcd.flatMap((theirs, round) => {
		const ours = flotilla[round] ?? null;
		return theirs === null || ours === null || theirs === 0 ? [] : [ours / theirs];
	});
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
export function goalMet({ value, ratios }: ComparedValue): boolean | null {
	if (value.goal === null || ratios.length === 0) return null;
	return value.rises ? median(ratios) >= value.goal : median(ratios) <= value.goal;
}
