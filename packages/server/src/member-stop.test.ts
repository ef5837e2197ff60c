import { expect, test } from "vitest";
import { letGo } from "./member-stop.ts";
import { nodeScheduler } from "./node-ports.ts";

function closables(): { closed: string[]; parts: Parameters<typeof letGo>[1] } {
	const closed: string[] = [];
	const closable = (name: string) => ({
		close: (): Promise<void> => {
			closed.push(name);
			return Promise.resolve();
		},
	});
	return { closed, parts: { disk: closable("disk"), tapSocket: closable("tapSocket") } };
}

test("nothing that would touch the disk is closed while the log's end stands still on it", async () => {
	const { closed, parts } = closables();
	await letGo(false, parts, nodeScheduler);
	expect(closed).toEqual([]);
});

test("behind a log that has its end, descriptors and the tap's socket are closed", async () => {
	const { closed, parts } = closables();
	await letGo(true, parts, nodeScheduler);
	expect(closed).toEqual(["disk", "tapSocket"]);
});
