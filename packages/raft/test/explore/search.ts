import type { LogIndex, MembershipRequest, Message, NodeId } from "../../src/index.ts";
import { bootstrapPoint, EntryKind } from "../../src/index.ts";
import { describeMessage } from "../stage/words.ts";
import { Cell, type Input, type View, type Weakening } from "./cell.ts";
import { nameOf } from "./graph.ts";
import { History } from "./promises.ts";

/**
 * How far the search goes. A link keeps the newest `linkMax` messages; one that arrives takes those before it off the road.
 * So whatever is on the road may as well have been lost.
 */
export interface Scope {
	readonly voters: readonly NodeId[];
	/** Processes that wait to be made members. They begin where the cluster began. */
	readonly spares: readonly NodeId[];
	readonly termMax: number;
	readonly proposalsMax: number;
	/** Each leader may ask for each of them, `changesMax` times in all. */
	readonly changes: readonly MembershipRequest[];
	readonly changesMax: number;
	readonly crashesMax: number;
	/** Rounds of heartbeats. */
	readonly ticksMax: number;
	/** Where the search starts: from nothing, or when 1 leads term 2 and all agree. */
	readonly elected: boolean;
	/** Every write returns at once: for what does not depend on it. */
	readonly quickDisks: boolean;
	readonly linkMax: number;
	readonly statesMax: number;
	readonly weakening?: Weakening;
}

export interface Found {
	readonly states: number;
	readonly transitions: number;
	/** Longest way from the start. */
	readonly depth: number;
	/** Every state within the scope was seen. */
	readonly complete: boolean;
	readonly elections: number;
	readonly commits: number;
	readonly changes: number;
	/** The shortest way to a broken promise; null when there is none. */
	readonly broken: { readonly text: string; readonly way: readonly string[] } | null;
}

/** A state of the whole cluster. Members, messages and histories are numbered: equal ones have one number. */
interface State {
	readonly cells: readonly number[];
	readonly links: readonly (readonly number[])[];
	readonly history: number;
	/** Spent so far: proposals, changes, crashes, ticks. */
	readonly spent: readonly number[];
	readonly from: State | null;
	readonly step: string;
}

/**
 * Breadth first through everything that can happen to a small cluster. A member is a pure function of its state and its
 * input: each such pair is computed once, and then looked up, however many clusters contain it.
 */
export function explore(scope: Scope): Found {
	const search = new Search(scope);
	return search.run();
}

class Numbers<T extends { readonly name: string }> {
	readonly items: T[] = [];
	private readonly byName = new Map<string, number>();

	of(item: T): number {
		const known = this.byName.get(item.name);
		if (known !== undefined) return known;
		this.byName.set(item.name, this.items.length);
		return this.items.push(item) - 1;
	}
}

const NOTHING_SPENT = [0, 0, 0, 0];
/** Places in `spent`. */
const PROPOSAL = 0;
const CHANGE = 1;
const CRASH = 2;
const TICK = 3;

interface ActOptions {
	/** The links without the message that arrives. */
	readonly links?: State["links"];
	readonly spends?: number;
	/** How the way is told. */
	readonly step?: string;
}

type Outcome =
	| { readonly cell: number; readonly sent: readonly number[]; readonly answered: readonly LogIndex[] }
	| { readonly broken: string };

class Search {
	private readonly scope: Scope;
	private readonly ids: readonly NodeId[];
	private readonly cells = new Numbers<Cell>();
	private readonly messages = new Numbers<{ readonly name: string; readonly message: Message }>();
	private readonly histories = new Numbers<History>();
	private readonly outcomes = new Map<string, Outcome>();
	private readonly seen = new Set<string>();
	private layer: State[] = [];
	private transitions = 0;
	private broken: Found["broken"] = null;
	private full = false;

	constructor(scope: Scope) {
		this.scope = scope;
		this.ids = [...scope.voters, ...scope.spares];
		const base = bootstrapPoint(scope.voters);
		const cells = this.ids.map((id) => this.cells.of(Cell.start(id, base)));
		const links = this.ids.flatMap(() => this.ids.map(() => []));
		const history = this.histories.of(History.start(base.confState));
		this.reach({ cells, links, history, spent: NOTHING_SPENT, from: null, step: "" });
		if (scope.elected) this.elect();
	}

	run(): Found {
		let depth = 0;
		for (; this.layer.length > 0 && this.broken === null && !this.full; depth++) {
			const { layer } = this;
			this.layer = [];
			for (const state of layer) {
				this.expand(state);
				if (this.broken !== null || this.full) break;
			}
		}
		const histories = this.histories.items;
		return {
			states: this.seen.size,
			transitions: this.transitions,
			depth,
			complete: !this.full && this.broken === null,
			elections: Math.max(...histories.map(({ leaders }) => leaders.size)),
			commits: Math.max(...histories.map(({ committed }) => committed.length)),
			changes: Math.max(...histories.map(({ committed }) => committed.filter(({ entry }) => entry.kind === EntryKind.config).length)),
			broken: this.broken,
		};
	}

	private expand(state: State): void {
		const { scope } = this;
		const [proposals = 0, changes = 0, crashes = 0, ticks = 0] = state.spent;
		for (let at = 0; at < this.ids.length; at++) {
			const view = this.viewOf(state, at);
			if (view.busy) this.act(state, at, { kind: "persist" }, "p");
			if (view.role !== "leader" && view.term < scope.termMax) this.act(state, at, { kind: "campaign" }, "c");
			if (crashes < scope.crashesMax) {
				this.act(state, at, { kind: "crash", kept: false }, "x", { spends: CRASH });
				if (view.busy) this.act(state, at, { kind: "crash", kept: true }, "X", { spends: CRASH });
			}
			for (let to = 0; to < this.ids.length; to++) this.deliver(state, to, at);
			if (view.role !== "leader") continue;
			if (ticks < scope.ticksMax) this.act(state, at, { kind: "tick" }, "t", { spends: TICK });
			if (proposals < scope.proposalsMax) {
				this.act(state, at, { kind: "propose", payload: proposals }, `v${proposals}`, { spends: PROPOSAL });
			}
			if (changes >= scope.changesMax) continue;
			for (const [which, request] of scope.changes.entries()) {
				this.act(state, at, { kind: "change", request }, `m${which}`, { spends: CHANGE });
			}
		}
	}

	/** Any message from one member to another arrives; those before it are lost. */
	private deliver(state: State, from: number, to: number): void {
		const link = from * this.ids.length + to;
		const queue = state.links[link] as readonly number[];
		queue.forEach((number, place) => {
			const links = state.links.map((each, at) => (at === link ? queue.slice(place + 1) : each));
			const { message } = this.messages.items[number] as { message: Message };
			this.act(state, to, { kind: "hear", message }, `h${number}`, { links, step: describeMessage(message) });
		});
	}

	/** Lets the first member be elected and everything settle, without branching. */
	private elect(): void {
		const [first] = this.layer;
		let state = first as State;
		const step = (act: (state: State) => void): boolean => {
			this.layer = [];
			act(state);
			const [next] = this.layer;
			if (next === undefined) return false;
			state = next;
			return true;
		};
		step((each) => this.act(each, 0, { kind: "campaign" }, "c"));
		while (step((each) => this.expandQuietly(each)));
		this.seen.clear();
		this.layer = [];
		this.reach({ ...state, spent: NOTHING_SPENT, from: null });
	}

	/** Whatever moves by itself: writes and messages. */
	private expandQuietly(state: State): void {
		for (let at = 0; at < this.ids.length; at++) {
			if (this.viewOf(state, at).busy) this.act(state, at, { kind: "persist" }, "p");
		}
		for (let at = 0; at < state.links.length; at++) {
			this.deliver(state, Math.floor(at / this.ids.length), at % this.ids.length);
		}
	}

	private viewOf(state: State, at: number): View {
		return (this.cells.items[state.cells[at] as number] as Cell).view;
	}

	/** `name`: of the input, for the look-up. */
	private act(from: State, at: number, input: Input, name: string, { links = from.links, spends = -1, step }: ActOptions = {}): void {
		if (this.broken !== null || this.full) return;
		this.transitions++;
		const told = step ?? `${this.ids[at]}: ${input.kind}`;
		const outcome = this.outcomeOf(from.cells[at] as number, input, name);
		if ("broken" in outcome) {
			this.broken = { text: outcome.broken, way: [...wayTo(from), told] };
			return;
		}
		const cells = from.cells.map((each, which) => (which === at ? outcome.cell : each));
		const views = cells.map((cell) => (this.cells.items[cell] as Cell).view);
		const spent = spends < 0 ? from.spent : from.spent.map((count, which) => (which === spends ? count + 1 : count));
		try {
			const known = this.histories.items[from.history] as History;
			// Nothing that an outsider sees has changed: no promise can be broken by it.
			const same = cells[at] === from.cells[at];
			const history = same ? known : known.after(this.viewOf(from, at), views[at] as View, views);
			for (const index of outcome.answered) history.assertAnswered(index, views);
			this.reach({ cells, links: this.send(links, outcome.sent), history: this.histories.of(history), spent, from, step: told });
		} catch (error) {
			this.broken = { text: (error as Error).message, way: [...wayTo(from), told] };
		}
	}

	private outcomeOf(cell: number, input: Input, name: string): Outcome {
		const key = `${cell} ${name}`;
		const known = this.outcomes.get(key);
		if (known !== undefined) return known;
		const outcome = this.compute(this.cells.items[cell] as Cell, input);
		this.outcomes.set(key, outcome);
		return outcome;
	}

	private compute(cell: Cell, input: Input): Outcome {
		const { weakening = {}, quickDisks } = this.scope;
		try {
			let { cell: next, sent, answered } = cell.after(input, weakening);
			while (quickDisks && next.view.busy) {
				const written = next.after({ kind: "persist" }, weakening);
				next = written.cell;
				sent = [...sent, ...written.sent];
				answered = [...answered, ...written.answered];
			}
			return { cell: this.cells.of(next), sent: sent.map((message) => this.messages.of(numbered(message))), answered };
		} catch (error) {
			return { broken: (error as Error).message };
		}
	}

	private send(links: State["links"], sent: readonly number[]): State["links"] {
		if (sent.length === 0) return links;
		const next = [...links];
		for (const number of sent) {
			const { from, to } = (this.messages.items[number] as { message: Message }).message;
			const link = this.ids.indexOf(from) * this.ids.length + this.ids.indexOf(to);
			const queue = next[link] as readonly number[];
			next[link] = [...queue, number].slice(-this.scope.linkMax);
		}
		return next;
	}

	private reach(state: State): void {
		const key = `${state.cells.join()}|${state.links.join(";")}|${state.history}|${state.spent.join()}`;
		if (this.seen.has(key)) return;
		this.seen.add(key);
		this.layer.push(state);
		if (this.seen.size >= this.scope.statesMax) this.full = true;
	}
}

/** The sequence of a heartbeat only tells a regular one from one out of turn. */
function numbered(message: Message): { readonly name: string; readonly message: Message } {
	const regular = (message.kind === "heartbeat" || message.kind === "heartbeatResp") && message.sequence > 1;
	const plain = regular ? { ...message, sequence: 1 } : message;
	return { name: nameOf(plain), message: plain };
}

function wayTo(state: State | null): string[] {
	const way: string[] = [];
	for (let at = state; at !== null && at.from !== null; at = at.from) way.unshift(at.step);
	return way;
}
