/** Writes to a log as fast as it becomes durable, and prints how far, until it is killed. */
import { writeSync } from "node:fs";
import { Entry } from "@flotilla/raft";
import { NodeDisk } from "../../src/disk/node-disk.ts";
import { nodeBytes } from "../../src/node-bytes.ts";
import { LogFolder, type LogOpening } from "../../src/wal/log-folder.ts";
import { BASE, FIRST_STATE, IDENTITY, SMALL } from "./log-fixture.ts";

const [root, make] = process.argv.slice(2) as [string, string];
const disk = new NodeDisk(root);
let durable = (_seq: number): void => {};
const folder = new LogFolder(
	{ ...SMALL, segmentBytes: 64 * 1024, keepEntries: 1_000_000 },
	{
		bytes: nodeBytes,
		events: {
			durable: (seq) => durable(seq),
			failed: (reason) => {
				throw new Error(reason);
			},
			cut: () => {},
			emit: (op) => disk.submit(op),
			synced: () => {},
		},
	},
);
disk.onCompletion = (completion) => folder.complete(completion);
const opening = await new Promise<LogOpening>((resolve) => {
	if (make === "make") folder.create(IDENTITY, FIRST_STATE, BASE, resolve);
	else folder.recover(resolve);
});
if (!opening.ok) throw new Error(opening.refusal.text);
const { wal, recovered } = opening;
const firstIndex = recovered.lastIndex + 1;
let seq = 0;
durable = (done) => {
	writeSync(1, `${firstIndex + done - 1}\n`);
	setImmediate(() => {
		while (seq < done + 6) {
			seq++;
			const index = firstIndex + seq - 1;
			const entries = [new Entry(index, 1, 0, new Uint8Array(100 + (index % 500)).fill(index))];
			wal.append({
				seq,
				hardState: { term: 1, vote: 0n, commit: index - 1 },
				truncateFrom: 0,
				entries,
				snapshot: null,
				mustSync: true,
				release: [],
			});
			wal.flush();
		}
	});
};
durable(0);
