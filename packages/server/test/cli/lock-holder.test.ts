import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { expect, test } from "vitest";
import { lockHolder } from "../../src/cli/doctor/lock-holder.ts";

test.skipIf(process.platform !== "linux")("whoever has a store open holds its lock; nobody holds that of a copy", async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-lock-"));
	try {
		const [member, copy] = [join(folder, "member"), join(folder, "copy")];
		await mkdir(member);
		expect(await lockHolder(member)).toBeNull();
		const store = new ClassicLevel(join(member, "store.1"));
		await store.open();
		expect(await lockHolder(member)).toBe(process.pid);
		// The process that holds a lock loses it when it reads the file, as this copy does; so nothing is said of the first one from here on.
		await cp(member, copy, { recursive: true });
		expect(await lockHolder(copy)).toBeNull();
		await store.close();
		expect(await lockHolder(member)).toBeNull();
		expect(await lockHolder(join(folder, "nothing"))).toBeNull();
	} finally {
		await rm(folder, { recursive: true });
	}
});
