/** Rule S7: the digest that members compare moves with every kind of replicated effect, and with nothing else. */
import { expect, test } from "vitest";
import {
	AlarmAction,
	AlarmType,
	authCommand,
	CommandKind,
	encodeAlarmCommand,
	encodeAuthCommand,
	type WriteOutcome,
} from "../src/index.ts";
import { compactBytes, deleteBytes, leasedPutBytes } from "./world/requests.ts";
import { World } from "./world/world.ts";

test("every replicated effect moves the digest, each to another value", () => {
	const world = new World("every effect", { strictReconfigCheck: false }, 1).up();
	const { theLeader: only } = world;
	world.until("the version is decided", () => only.replica.status().clusterVersion !== "");
	const { replica } = only;
	const digest = (): number => replica.stateDigest() ?? expect.unreachable("nothing is applied in part");
	const seen = new Map([[digest(), "the beginning"]]);
	const moves = (what: string, outcome: { readonly ok: boolean }): void => {
		expect(outcome, what).toMatchObject({ ok: true });
		const now = digest();
		expect(seen.get(now), what).toBeUndefined();
		seen.set(now, what);
	};
	const write = (kind: CommandKind, payload: Uint8Array): WriteOutcome => world.outcomeOf(world.write(only, kind, payload));
	const alarm = (action: AlarmAction, member: bigint): WriteOutcome =>
		write(CommandKind.alarm, encodeAlarmCommand({ action, member, alarm: AlarmType.noSpace }));
	const auth = (...args: Parameters<typeof authCommand>): WriteOutcome => write(CommandKind.auth, encodeAuthCommand(authCommand(...args)));

	moves("a put", world.outcomeOf(world.put(only, "a", "1")));
	moves("the same put again", world.outcomeOf(world.put(only, "a", "1")));
	moves("another key", world.outcomeOf(world.put(only, "b", "1")));
	moves("a deletion", write(CommandKind.deleteRange, deleteBytes("a")));
	// Nothing but the mark: what it makes superfluous was gone before, or is still read.
	moves("a first compaction", write(CommandKind.compact, compactBytes(2)));
	moves("a second one, of the rest", write(CommandKind.compact, compactBytes(replica.store.revision)));
	world.until("it is cleaned up", () => !replica.store.compactionPending);
	seen.set(digest(), "the clean-up");
	moves("a lease", world.outcomeOf(world.grant(only, 7n, 60)));
	moves("one of another time", world.outcomeOf(world.grant(only, 8n, 61)));
	moves("a key on a lease", write(CommandKind.put, leasedPutBytes("c", "1", 7n)));
	moves("the end of a lease with its key", world.outcomeOf(world.revoke(only, 7n)));
	moves("the end of one without", world.outcomeOf(world.revoke(only, 8n)));
	moves("new addresses", world.outcomeOf(world.change(only, { kind: "update", id: only.id, peerUrls: ["http://new"] })));
	const learner = { id: 9n, name: "", peerUrls: ["http://nine"], clientUrls: [], learner: true };
	moves("a member more", world.outcomeOf(world.change(only, { kind: "add", member: learner })));
	moves("a member less", world.outcomeOf(world.change(only, { kind: "remove", id: 9n })));
	moves("a user", auth("userAdd", { user: "ann", passwordHash: "h" }));
	moves("another password", auth("userChangePassword", { user: "ann", passwordHash: "i" }));
	moves("a role", auth("roleAdd", { role: "r" }));
	moves("a role of a user", auth("userGrantRole", { user: "ann", role: "r" }));
	moves("an alarm", alarm(AlarmAction.activate, 1n));
	moves("another member's", alarm(AlarmAction.activate, 2n));
	moves("an alarm less", alarm(AlarmAction.deactivate, 1n));
	moves("another version", write(CommandKind.clusterVersion, new TextEncoder().encode("9.9.0")));

	const before = digest();
	expect(alarm(AlarmAction.get, 0n)).toMatchObject({ ok: true });
	expect(world.outcomeOf(world.read(only))).toEqual({ ok: true });
	world.run(20_000);
	expect(digest(), "reads and time move nothing").toBe(before);
});
