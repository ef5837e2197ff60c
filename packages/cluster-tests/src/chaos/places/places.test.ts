/** What each place can do, told before a run begins, and the rules that are written for it. */
import { describe, expect, test } from "vitest";
import { FAULTS, missingFor } from "../faults/index.ts";
import { WHOLE } from "../links.ts";
import { parseScenario } from "../scenario.ts";
import { aloneIn } from "./containers.ts";
import { packetRules } from "./namespaces.ts";
import { cannotAt, type PlaceName } from "./place.ts";

const scenario = (line: string) => parseScenario("s.yaml", `title: t\nfaults: [{ ${line}, at: 1s }]`, FAULTS);

describe("a fault", () => {
	const cases: ReadonlyArray<readonly [place: PlaceName, line: string, reason: string | null]> = [
		["processes", "fault: slow-links, delay: 10", null],
		["namespaces", "fault: slow-links, loss: 10", null],
		["namespaces", "fault: slow-links, delay: 10, loss: 10", "packets can be dropped there and not slowed down (delay)"],
		["namespaces", "fault: partition, shape: bridge", null],
		["containers", "fault: partition, shape: alone, who: leader", null],
		["containers", "fault: partition", null],
		["containers", "fault: partition, shape: halves", "a container can only be taken off the network, alone"],
		["containers", "fault: partition, shape: alone, who: minority", "a container can only be taken off the network, alone"],
		["containers", "fault: partition, shape: alone, refused: true", "a container can only be taken off the network, alone"],
		["containers", "fault: failing-disk", "it needs the member's own process, or links one by one"],
		["containers", "fault: kill", null],
		["namespaces", "fault: point, point: wal.beforeWrite, term: panic", "its port is on loopback"],
		["processes", "fault: point, point: wal.beforeWrite, term: panic", null],
	];
	test.each(cases)("in %s: %s", (place, line, reason) => {
		const told = cannotAt(place, scenario(line));
		if (reason === null) expect(told).toBe(null);
		else expect(told).toContain(`cannot be done in ${place}: ${reason}`);
	});
});

test("a short log is a test build's", () => {
	const short = parseScenario("s.yaml", "title: t\nlog: short", FAULTS);
	expect(cannotAt("containers", short)).toBe("a short log cannot be had in containers: their image holds no test build");
	expect([cannotAt("processes", short), cannotAt("namespaces", short), missingFor(short, "flotilla")]).toEqual([null, null, null]);
	expect(missingFor(short, "etcd")).toBe("a short log cannot be had of etcd");
});

test("links that cannot be told apart under TLS are not struck", () => {
	const tls = (line: string) => parseScenario("s.yaml", `title: t\ntls: true\nfaults: [{ ${line}, at: 1s }]`, FAULTS);
	expect(cannotAt("processes", tls("fault: flap"))).toBe("flap cannot be done in processes: its proxies cannot tell who dials by TLS");
	expect(cannotAt("processes", tls("fault: kill"))).toBe(null);
	expect(cannotAt("namespaces", tls("fault: flap"))).toBe(null);
});

test("packets are dropped, refused or lost by the receiver", () => {
	expect(packetRules("10.77.3.1", WHOLE)).toEqual([]);
	expect(packetRules("10.77.3.1", { ...WHOLE, held: true })).toEqual(["-A INPUT -s 10.77.3.1 -j DROP"]);
	// What is to be refused must come before what drops everything.
	expect(packetRules("10.77.3.1", { ...WHOLE, held: true, refused: true, lossPerMille: 25 })).toEqual([
		"-A INPUT -s 10.77.3.1 -p tcp -j REJECT --reject-with tcp-reset",
		"-A INPUT -s 10.77.3.1 -j DROP",
		"-A INPUT -s 10.77.3.1 -m statistic --mode random --probability 0.025 -j DROP",
	]);
});

test("a container that is alone is told from any other cut", () => {
	expect(
		aloneIn([
			["m1", "m2"],
			["m2", "m1"],
			["m1", "m3"],
			["m3", "m1"],
		]),
	).toBe("m1");
	expect(
		aloneIn([
			["m1", "m2"],
			["m1", "m3"],
		]),
	).toBe(null);
	expect(
		aloneIn([
			["m1", "m3"],
			["m3", "m1"],
			["m2", "m3"],
			["m3", "m2"],
			["m1", "m2"],
			["m2", "m1"],
		]),
	).toBe(null);
	expect(aloneIn([])).toBe(null);
});
