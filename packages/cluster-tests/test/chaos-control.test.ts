/** The control: a real etcd, killed and cut off through the same proxies, held against every promise by the same checks. */
import { expect, test } from "vitest";
import { haveProgram } from "../src/process/tools.ts";
import { runKept, written } from "./chaos-run.ts";

const SECONDS = 9;
/** One after the other, each once; whoever finds no leader, as on a busy machine, looks again. */
const SCENARIO = `
title: the leader of etcd dies, and the next one is cut off from all others
clients: 6
holders: 3
lockers: 3
faults:
  - { fault: kill, who: leader, every: 1s, for: 1s }
  - { fault: partition, shape: alone, who: leader, every: 5s, for: 2.5s }
`;

test.skipIf(!haveProgram("etcd"))(
	"every verdict on a real etcd is ok or explained by an issue of its own (needs etcd)",
	{ timeout: 600_000 },
	async () => {
		const { record, judgement } = await runKept(written("control", SCENARIO, SECONDS), { program: "etcd", enoughOf: () => true });
		expect(record.faults.flatMap(({ fault, members }) => (members.length > 0 ? [fault] : [])).sort()).toEqual(["kill", "partition"]);
		expect(judgement.checks.map(({ name }) => name)).toEqual([
			...["linearizable", "watches", "agreement", "bank", "leases", "locks", "leaders", "recovery", "enough"],
		]);
	},
);
