/** Many leases at once, in short (the long form: `npm run lease-storm`). Nothing here depends on how fast the machine is. */
import { expect, test } from "vitest";
import { leaseStorm } from "../src/bench/lease-storm.ts";

test("thousands of leases: all listed, all renewed on one stream, and all end while others write", async () => {
	const leases = 4_500;
	const figures = await leaseStorm({ leases, ttlSeconds: 16, keys: 500, members: 1, streams: 4, phaseMs: 200 });
	expect(figures).toMatchObject({ granted: leases, listed: leases, renewed: leases, leftAfterwards: 0, keysLeft: 0, kept: 50 });
	for (const [phase, { puts }] of Object.entries(figures.phases)) expect(puts, phase).toBeGreaterThan(0);
}, 600_000);
