import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { KeyCursor } from "./key-cursor.ts";
import { NOT_FOUND } from "./key-table.ts";
import { KeyTree } from "./key-tree.ts";
import { sliced } from "./sliced.ts";

/** A tree beside a sorted list of the same keys. */
class Pairing {
	readonly dead = new Set<number>();
	readonly slots = new Map<string, number>();
	private readonly names: string[] = [];
	readonly tree = new KeyTree({ key: (slot) => this.names[slot] as string, isAlive: (slot) => !this.dead.has(slot) });

	get keys(): string[] {
		return [...this.slots.keys()].sort();
	}

	insert(key: string): void {
		if (this.slots.has(key)) return;
		const slot = this.names.push(key) - 1;
		this.slots.set(key, slot);
		this.tree.insert(key, slot);
	}

	kill(key: string): void {
		const slot = this.slots.get(key);
		if (slot === undefined || this.dead.has(slot)) return;
		this.dead.add(slot);
		this.tree.changeAlive(key, -1);
	}

	remove(key: string): void {
		const slot = this.slots.get(key);
		if (slot === undefined) return;
		this.kill(key);
		this.tree.remove(key);
		this.slots.delete(key);
	}

	alive(from: string, to: string | null): number {
		return [...this.slots].filter(([key, slot]) => key >= from && (to === null || key < to) && !this.dead.has(slot)).length;
	}

	find(key: string): number {
		return this.walk(key, `${key}\0`)[0] ?? NOT_FOUND;
	}

	walk(from: string, to: string | null): number[] {
		const cursor = new KeyCursor(this.tree, from, to);
		const found: number[] = [];
		for (let slot = cursor.next(); slot !== NOT_FOUND; slot = cursor.next()) found.push(slot);
		return found;
	}
}

for (const [name, makeKey] of [
	["scattered keys", (dice: Dice, _i: number) => String.fromCharCode(dice.range(0, 255), dice.range(0, 255), dice.range(0, 3))],
	["rising keys", (_dice: Dice, i: number) => String(i).padStart(6, "0")],
	["falling keys", (_dice: Dice, i: number) => String(999_999 - i)],
] as const) {
	test(`the tree finds, counts and walks like a sorted list: ${name}`, () => {
		const dice = new Dice(name);
		const pairing = new Pairing();
		for (let round = 0; round < 30; round++) {
			for (let i = 0; i < 400; i++) pairing.insert(makeKey(dice, round * 400 + i));
			const keys = pairing.keys;
			// From time to time most keys go, so that leaves empty and join.
			const share = round % 7 === 6 ? 9 : 2;
			for (const key of keys) {
				if (dice.chance(share, 20)) pairing.remove(key);
				else if (dice.chance(1, 20)) pairing.kill(key);
			}
			if (round % 11 === 10) for (const key of pairing.keys.slice(3)) pairing.remove(key);
			const left = pairing.keys;
			expect(pairing.tree.size).toBe(left.length);
			expect(pairing.tree.alive).toBe(pairing.alive("", null));
			expect(pairing.walk("", null)).toEqual(left.map((key) => pairing.slots.get(key)));
			for (let i = 0; i < 20; i++) {
				const [from, to] = [dice.pick(keys), dice.chance(1, 5) ? null : dice.pick(keys)];
				expect(pairing.find(from)).toBe(pairing.slots.get(from) ?? NOT_FOUND);
				expect(pairing.tree.countAlive(from, to)).toBe(pairing.alive(from, to));
				const want = left.filter((key) => key >= from && (to === null || key < to));
				expect(pairing.walk(from, to)).toEqual(want.map((key) => pairing.slots.get(key)));
			}
		}
	});
}

test("a cursor that pauses goes on behind the last key, whatever comes and goes meanwhile", () => {
	const dice = new Dice("cursor");
	for (let run = 0; run < 30; run++) {
		const pairing = new Pairing();
		const key = (): string => `k${dice.range(0, 2_000)}`;
		for (let i = 0; i < 600; i++) pairing.insert(key());
		const lasting = new Set(pairing.keys.filter((_, i) => i % 3 === 0));
		const slotsOfLasting = pairing.keys.filter((one) => lasting.has(one)).map((one) => pairing.slots.get(one));
		const keyOf = new Map([...pairing.slots].map(([name, slot]) => [slot, name]));
		const cursor = new KeyCursor(pairing.tree, "", null);
		const seen: number[] = [];
		for (let slot = cursor.next(); slot !== NOT_FOUND; slot = cursor.next()) {
			seen.push(slot);
			if (!dice.chance(1, 5)) continue;
			cursor.pause();
			for (let i = 0; i < 20; i++) {
				const one = key();
				if (dice.chance(1, 2)) pairing.insert(one);
				else if (!lasting.has(one)) pairing.remove(one);
			}
			for (const [name, slotNow] of pairing.slots) keyOf.set(slotNow, name);
		}
		const names = seen.map((slot) => keyOf.get(slot) as string);
		expect(names, `run ${run}`).toEqual([...new Set(names)].sort());
		const wanted = new Set(slotsOfLasting);
		expect(seen.filter((slot) => wanted.has(slot))).toEqual(slotsOfLasting);
	}
});

test("a tree of several levels shrinks to little and still finds what is left", () => {
	const dice = new Dice("shrink");
	const pairing = new Pairing();
	for (let i = 0; i < 20_000; i++) pairing.insert(`${dice.range(0, 999_999)}`);
	const going = dice.shuffle(pairing.keys);
	while (going.length > 100) {
		for (const key of going.splice(100, 2_000)) pairing.remove(key);
		const left = pairing.keys;
		expect(pairing.walk("", null)).toEqual(left.map((key) => pairing.slots.get(key)));
		for (const key of left) expect(pairing.find(key)).toBe(pairing.slots.get(key));
		for (let i = 0; i < 100; i++) pairing.insert(`${dice.range(0, 999_999)}`);
	}
});

test("a tree that is loaded in one go is like one that grew", () => {
	for (const size of [0, 1, 55, 56, 57, 5_000]) {
		const keys = Array.from({ length: size }, (_, i) => String(i).padStart(6, "0"));
		const tree = new KeyTree({ key: (slot) => keys[slot] ?? "5", isAlive: (slot) => slot % 3 !== 0 });
		const loading = sliced(tree.load(Int32Array.from(keys, (_, i) => i)));
		while (!loading.step(1));
		expect(tree.alive).toBe(keys.filter((_, i) => i % 3 !== 0).length);
		for (const [i, key] of keys.entries()) expect(new KeyCursor(tree, key, null).next()).toBe(i);
		tree.insert("5", size + (size % 3 === 0 ? 1 : 0));
		expect(new KeyCursor(tree, "5", "5\0").next()).toBe(size + (size % 3 === 0 ? 1 : 0));
		expect(tree.countAlive("5", null)).toBe(1);
	}
});
