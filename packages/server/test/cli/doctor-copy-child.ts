/** Copies a data folder as the doctor does and says where to; then it works on it until it is ended. */
import { withCopy } from "../../src/cli/doctor/folder-copy.ts";

const [dataDir = "", scratch = ""] = process.argv.slice(2);
await withCopy(dataDir, scratch, (folder) => {
	process.stdout.write(`${folder}\n`);
	return new Promise(() => setInterval(() => {}, 1_000));
});
