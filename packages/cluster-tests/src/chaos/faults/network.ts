/** Faults of the network between members, in the proxies. */
import type { LinkState } from "../links.ts";
import type { Direction } from "../places/place.ts";
import type { StageMember } from "../stage.ts";
import { choose, type Details, type Fault, type FaultWorld, numberOf, textOf } from "./fault.ts";

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

/** The directions that a shape cuts. Null when the cluster is too small for it, or nobody fits. */
async function shapeOf(world: FaultWorld, shape: string, details: Details): Promise<Cut | null> {
	const all = world.stage.present;
	const rest = (chosen: readonly StageMember[]): StageMember[] => all.filter((member) => !chosen.includes(member));
	const shuffled = world.dice.shuffle([...all]);
	const names = (members: readonly StageMember[]): string[] => members.map(({ name }) => name);
	switch (shape) {
		case "alone": {
			const chosen = await choose(world, textOf(details, "who", "one"));
			return chosen === null ? null : { pairs: bothWays(between(chosen, rest(chosen))), struck: names(chosen) };
		}
		case "deaf":
		case "mute": {
			const chosen = await choose(world, textOf(details, "who", "one"));
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
		default:
			throw new Error(`a partition has no shape ${shape}: alone, deaf, mute, halves, bridge, chain`);
	}
}

export const NETWORK_FAULTS: Readonly<Record<string, Fault>> = {
	partition: {
		about: "links between members carry nothing (shape: alone, deaf, mute, halves, bridge, chain; refused: true closes connections)",
		strike: async (world, details, forMs) => {
			const cut = await shapeOf(world, textOf(details, "shape", "alone"), details);
			if (cut === null) return null;
			await change(world, cut.pairs, { held: true, refused: details.refused === true });
			await world.pause(forMs);
			await change(world, cut.pairs, { held: false, refused: false });
			return cut.struck;
		},
	},
	flap: {
		about: "links come and go several times a second (period in ms)",
		strike: async (world, details, forMs) => {
			const cut = await shapeOf(world, textOf(details, "shape", "alone"), details);
			if (cut === null) return null;
			const periodMs = numberOf(details, "period", 200);
			for (let left = forMs; left > 0; left -= 2 * periodMs) {
				await change(world, cut.pairs, { held: true, refused: details.refused === true });
				await world.pause(periodMs);
				await change(world, cut.pairs, { held: false, refused: false });
				await world.pause(periodMs);
			}
			return cut.struck;
		},
	},
	"slow-links": {
		about: "links are slow (delay and jitter in ms, loss in per mille, rate in bytes a second)",
		strike: async (world, details, forMs) => {
			const chosen = await choose(world, textOf(details, "who", "all"));
			if (chosen === null) return null;
			const others = world.stage.present;
			const pairs = bothWays(between(chosen, others).filter(([from, to]) => from !== to));
			await change(world, pairs, {
				delayMs: numberOf(details, "delay", 0),
				jitterMs: numberOf(details, "jitter", 0),
				lossPerMille: numberOf(details, "loss", 0),
				bytesPerSecond: numberOf(details, "rate", Number.MAX_SAFE_INTEGER),
			});
			await world.pause(forMs);
			await change(world, pairs, { delayMs: 0, jitterMs: 0, lossPerMille: 0, bytesPerSecond: Number.POSITIVE_INFINITY });
			return chosen.map(({ name }) => name);
		},
	},
	reset: {
		about: "all connections between two members break at once",
		strike: async (world) => {
			const [a, b] = world.dice.shuffle([...world.stage.present]);
			if (a === undefined || b === undefined) return null;
			await world.stage.links.reset(a.name, b.name);
			return [a.name, b.name];
		},
	},
};
