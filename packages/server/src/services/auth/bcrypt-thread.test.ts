import { afterEach, describe, expect, test } from "vitest";
import { BcryptThread } from "./bcrypt-thread.ts";

const thread = new BcryptThread();
const hash = (password: string, cost = 4): Promise<string | null> => new Promise((done) => thread.hash(password, cost, done));
const compare = (password: string, against: string): Promise<boolean | null> =>
	new Promise((done) => thread.compare(password, against, done));

describe("bcrypt on its thread", () => {
	test("hashes are bcrypt's, salted, and fit their password alone", async () => {
		const [one, other] = await Promise.all([hash("pässword"), hash("pässword")]);
		expect(one).toMatch(/^\$2b\$04\$[./A-Za-z0-9]{53}$/);
		expect(one).not.toBe(other);
		expect(await compare("pässword", one as string)).toBe(true);
		expect(await compare("password", one as string)).toBe(false);
		expect(await compare("", one as string)).toBe(false);
		const empty = await hash("");
		expect(await compare("", empty as string)).toBe(true);
	});

	test("hashes made elsewhere count, whichever of bcrypt's marks they bear", async () => {
		// Of "U*U", from the vectors that come with the reference implementation of bcrypt.
		for (const mark of ["2a", "2b", "2y"]) {
			expect(await compare("U*U", `$${mark}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`)).toBe(true);
			expect(await compare("U*V", `$${mark}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`)).toBe(false);
		}
	});

	test("a hash that is none fits nothing, and the thread goes on", async () => {
		expect(await compare("x", "nonsense")).not.toBe(true);
		expect(await compare("x", `$2a$99$${"A".repeat(53)}`)).not.toBe(true);
		expect(await hash("x")).not.toBeNull();
	});

	test("the event loop goes on meanwhile", async () => {
		let turns = 0;
		const count = (): void => {
			turns++;
			timer = setImmediate(count);
		};
		let timer = setImmediate(count);
		await hash("x", 9);
		clearImmediate(timer);
		expect(turns).toBeGreaterThan(10);
	});

	test("what waits is bounded, and whoever comes later hears so", async () => {
		const busy = Array.from({ length: 140 }, (_, at) => hash(`p${at}`, 4));
		const answers = await Promise.all(busy);
		expect(answers.filter((answer) => answer === null).length).toBe(12);
	});

	test("closing it answers whoever waits; nothing is taken afterwards", async () => {
		const last = new BcryptThread();
		const waiting = new Promise((done) => last.hash("x", 14, done));
		await new Promise((soon) => setTimeout(soon, 20));
		await last.close();
		expect(await waiting).toBeNull();
		expect(await new Promise((done) => last.hash("x", 4, done))).toBeNull();
	});
});

afterEach(() => {
	// The next test starts with an idle thread.
	return compare("x", "nonsense");
});
