import { expect, test } from "vitest";
import type { Scenario } from "./scenario.ts";
import { ADAPTERS, adaptersOf, type RunEnd, tableOf, verdictOver } from "./series.ts";

const end = (verdict: RunEnd["verdict"], adapter: "native" | "grpc-js" | null = null, note = ""): RunEnd => ({
	run: { source: "s", scenario: { name: "s" } as Scenario, adapter, short: true },
	...{ verdict, note },
});

test("the worst verdict is that of all; runs that were left out prove nothing", () => {
	expect(verdictOver([end("ok"), end("violated"), end("unknown")])).toBe("violated");
	expect(verdictOver([end("ok"), end("unknown"), end(null)])).toBe("unknown");
	expect(verdictOver([end("ok"), end(null)])).toBe("ok");
	expect(verdictOver([end(null)])).toBe("unknown");
	expect(verdictOver([])).toBe("unknown");
});

test("each run is told by its name and adapter", () => {
	expect(tableOf([end("ok", "native"), end(null, null, "it needs root")])).toEqual(["ok        s-native", "left out  s: it needs root"]);
});

test("which adapters a call asks for", () => {
	expect(adaptersOf(undefined, "etcd")).toEqual([null]);
	expect(adaptersOf("both", "flotilla")).toEqual(ADAPTERS);
	expect(adaptersOf("grpc-js", "flotilla")).toEqual(["grpc-js"]);
	expect(() => adaptersOf("bot", "flotilla")).toThrow("--grpc-server is native, grpc-js or both, not bot");
	expect(() => adaptersOf("both", "etcd")).toThrow("--grpc-server is a choice of flotilla's");
});
