/**
 * A process that reads a whole store: `node probe-store.ts FOLDER`. LevelDB aborts on some damage in place of an error, which must
 * not be the end of a member. Its exit says nothing but whether LevelDB lived through it.
 */
import { ClassicLevel } from "classic-level";

const level = new ClassicLevel<Uint8Array, Uint8Array>(process.argv[2] ?? "", {
	keyEncoding: "view",
	valueEncoding: "view",
	createIfMissing: false,
});
try {
	await level.open();
	const iterator = level.iterator();
	while ((await iterator.nextv(1_000)).length > 0);
	await iterator.close();
	await level.close();
} catch {
	// An error in words: whoever opens the store hears it, too.
}
