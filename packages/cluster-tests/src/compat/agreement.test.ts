import { expect, test } from "vitest";
import { Agreement } from "./agreement.ts";

test("a table of agreement counts calls by command, and those that were alike", () => {
	const agreement = new Agreement();
	agreement.judge(["put", "member", "json"], () => expect(1).toBe(1));
	agreement.judge(["member", "list", "-w", "json"], () => {});
	expect(() =>
		agreement.judge(["put", "a", "b", "-w", "json"], () => {
			throw new Error("they differ");
		}),
	).toThrow("they differ");
	expect(agreement.lines("etcdctl").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
		"etcdctl",
		"| command | calls | as JSON | alike |",
		"|--------------------------|-------|---------|-------|",
		"| member list | 1 | 1 | 1 |",
		"| put | 2 | 1 | 1 |",
		"| all | 3 | 2 | 2 |",
	]);
});
