/**
 * A process that reads a whole store: `node probe-store.ts FOLDER`. LevelDB aborts on some damage in place of an error, which must
 * not be the end of a member. Its exit says nothing but whether LevelDB lived through it. It reads in every way in which a member
 * does: what one way steps over another one may abort on.
 */
import type { StoreCompletion, StoreOp } from "../ports.ts";
import { LevelStore } from "./level-store.ts";

const PAGE_RECORDS = 1_000;

const opening = await LevelStore.open(process.argv[2] ?? "", false);
// An error in words: whoever opens the store hears it, too.
if (opening.ok) await readAll(opening.store).catch(() => {});

async function readAll(store: LevelStore): Promise<void> {
	let id = 0;
	const run = (op: StoreOp): Promise<StoreCompletion> =>
		new Promise((resolve, reject) => {
			store.onCompletion = (completion) => (completion.error === null ? resolve(completion) : reject(new Error(completion.error)));
			store.submit(op);
		});
	await run({ id: id++, kind: "readTables" });
	for (let more = true; more; ) {
		const { records } = await run({ id: id++, kind: "scan", recordsMax: PAGE_RECORDS });
		for (const { key } of records ?? []) store.get(key);
		more = records?.length === PAGE_RECORDS;
	}
	await run({ id: id++, kind: "barrier" });
	await store.close();
}
