import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { countBuffersApart } from "./collector.ts";

/** Makes and drops `megabytes` of buffers beside a small heap, and tells how many full collections that took. */
const COUNT = `
	const { PerformanceObserver, constants } = require("node:perf_hooks");
	let full = 0;
	new PerformanceObserver((list) => { for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++; })
		.observe({ entryTypes: ["gc"] });
	let left = 8000;
	const kept = new Array(400);
	(function turn() {
		for (let i = 0; i < 20; i++) kept[left % 400] = Buffer.allocUnsafeSlow(65536), left--;
		if (left > 0) setImmediate(turn); else setTimeout(() => console.log(full), 50);
	})();
`;

function fullCollections(prelude: string): number {
	const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", prelude + COUNT], { encoding: "utf8" });
	expect(stderr).toBe("");
	expect(status).toBe(0);
	return Number(stdout);
}

test("buffers make fewer full collections once they count towards the limit of all memory", () => {
	const before = fullCollections("");
	const after = fullCollections(
		`(${countBuffersApart.toString().replace("setFlagsFromString", 'require("node:v8").setFlagsFromString')})();`,
	);
	expect(after).toBeLessThan(before);
});

test("a version of Node that may not know the flag is left as it is", () => {
	expect(countBuffersApart("26.0.0")).toBe(false);
	expect(countBuffersApart("2.4.0")).toBe(false);
});
