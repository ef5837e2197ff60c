/** Faults of the network between members, in the proxies. */
import type { LinkState } from "../links.ts";
import type { Direction } from "../places/place.ts";
import type { StageMember } from "../stage.ts";
import { flag, who, whole, word } from "./details.ts";
import { type AskedLine, choose, type Fault, type FaultWorld, lasting, momentary } from "./fault.ts";

function change(world: FaultWorld, pairs: readonly Direction[], state: Partial<LinkState>): Promise<void> {
	return world.stage.links.set(pairs, state);
}

function between(a: readonly StageMember[], b: readonly StageMember[]): Direction[] {
	return a.flatMap((one) => b.map((other): Direction => [one.name, other.name]));
}

function bothWays(pairs: readonly Direction[]): Direction[] {
	return pairs.flatMap(([from, to]): Direction[] => [
		[from, to],
		[to, from],
	]);
}

interface Cut {
	readonly pairs: readonly Direction[];
	readonly struck: readonly string[];
}

const SHAPE = word("alone", "deaf", "mute", "halves", "bridge", "chain");
type Shape = (typeof SHAPE)["of"][number];
/** Shapes around members that a line names. */
const CHOSEN: ReadonlySet<Shape> = new Set(["alone", "deaf", "mute"]);

interface ShapeDetails {
	readonly shape: Shape;
	readonly who: string;
}

/** The directions that a shape cuts. Null when the cluster is too small for it, or nobody fits. */
async function shapeOf(world: FaultWorld, { shape, who: chosenBy }: ShapeDetails): Promise<Cut | null> {
	const all = world.stage.present;
	const rest = (chosen: readonly StageMember[]): StageMember[] => all.filter((member) => !chosen.includes(member));
	const shuffled = world.dice.shuffle([...all]);
	const names = (members: readonly StageMember[]): string[] => members.map(({ name }) => name);
	switch (shape) {
		case "alone": {
			const chosen = await choose(world, chosenBy);
			return chosen === null ? null : { pairs: bothWays(between(chosen, rest(chosen))), struck: names(chosen) };
		}
		case "deaf":
		case "mute": {
			const chosen = await choose(world, chosenBy);
			if (chosen === null) return null;
			return { pairs: shape === "deaf" ? between(rest(chosen), chosen) : between(chosen, rest(chosen)), struck: names(chosen) };
		}
		case "halves": {
			const half = shuffled.slice(0, all.length >> 1);
			return half.length === 0 ? null : { pairs: bothWays(between(half, rest(half))), struck: names(half) };
		}
		case "bridge": {
			// One member sees both halves, which do not see each other.
			const [, ...others] = shuffled;
			const half = others.slice(0, others.length >> 1);
			const other = others.slice(others.length >> 1);
			return half.length === 0 ? null : { pairs: bothWays(between(half, other)), struck: names(others) };
		}
		case "chain": {
			// Each sees only the one before and the one behind.
			if (shuffled.length < 3) return null;
			const pairs = shuffled.flatMap((one, at) => between([one], shuffled.slice(at + 2)));
			return { pairs: bothWays(pairs), struck: names(shuffled) };
		}
	}
}

function shapeContradicts({ details, given, members }: AskedLine): string | null {
	const shape = details.shape as Shape;
	if (given.has("who") && !CHOSEN.has(shape)) return `shape ${shape} takes no who, it draws for itself`;
	const least = shape === "bridge" || shape === "chain" ? 3 : 2;
	return members < least ? `shape ${shape} needs ${least} members, the scenario has ${members}` : null;
}

const SHAPED = { shape: SHAPE, who: who("one"), refused: flag } as const;
const MS_MAX = 60_000;
/** One that thins nothing out. */
const RATE_MAX = 1_000_000_000;

export const NETWORK_FAULTS: Readonly<Record<string, Fault>> = {
	partition: lasting({
		about: "links between members carry nothing (refused: their connections are closed as well)",
		details: SHAPED,
		contradiction: shapeContradicts,
		async strike(world, details, forMs) {
			const cut = await shapeOf(world, details);
			if (cut === null) return null;
			await change(world, cut.pairs, { held: true, refused: details.refused });
			await world.pause(forMs);
			await change(world, cut.pairs, { held: false, refused: false });
			return cut.struck;
		},
	}),
	flap: lasting({
		about: "links come and go several times a second",
		details: { ...SHAPED, period: whole(200, { min: 20, max: MS_MAX, unit: "ms" }) },
		contradiction: shapeContradicts,
		async strike(world, details, forMs) {
			const cut = await shapeOf(world, details);
			if (cut === null) return null;
			for (let left = forMs; left > 0; left -= 2 * details.period) {
				await change(world, cut.pairs, { held: true, refused: details.refused });
				await world.pause(details.period);
				await change(world, cut.pairs, { held: false, refused: false });
				await world.pause(details.period);
			}
			return cut.struck;
		},
	}),
	"slow-links": lasting({
		about: "links are late, uneven, lossy or thin",
		details: {
			who: who("all"),
			delay: whole(0, { min: 0, max: MS_MAX, unit: "ms" }),
			jitter: whole(0, { min: 0, max: MS_MAX, unit: "ms" }),
			loss: whole(0, { min: 0, max: 1_000, unit: "per mille" }),
			rate: whole(RATE_MAX, { min: 1_024, max: RATE_MAX, unit: "bytes a second" }),
		},
		membersMin: 2,
		contradiction: ({ details: { delay, jitter, loss, rate } }) =>
			delay === 0 && jitter === 0 && loss === 0 && rate === RATE_MAX ? "without delay, jitter, loss or rate nothing is slow" : null,
		async strike(world, { who: chosenBy, delay, jitter, loss, rate }, forMs) {
			const chosen = await choose(world, chosenBy);
			if (chosen === null) return null;
			const others = world.stage.present;
			const pairs = bothWays(between(chosen, others).filter(([from, to]) => from !== to));
			const bytesPerSecond = rate === RATE_MAX ? Number.POSITIVE_INFINITY : rate;
			await change(world, pairs, { delayMs: delay, jitterMs: jitter, lossPerMille: loss, bytesPerSecond });
			await world.pause(forMs);
			await change(world, pairs, { delayMs: 0, jitterMs: 0, lossPerMille: 0, bytesPerSecond: Number.POSITIVE_INFINITY });
			return chosen.map(({ name }) => name);
		},
	}),
	reset: momentary({
		about: "all connections between two members break at once",
		details: {},
		membersMin: 2,
		async strike(world) {
			const [a, b] = world.dice.shuffle([...world.stage.present]);
			if (a === undefined || b === undefined) return null;
			await world.stage.links.reset(a.name, b.name);
			return [a.name, b.name];
		},
	}),
};
