import { Readable } from "node:stream";
import type { etcdserverpb as pb } from "@flotilla/api";
import { afterEach, expect, test, vi } from "vitest";
import type { OutsideClient } from "../outside-client.ts";
import { Follower } from "./follow.ts";
import { LeaseMirror } from "./lease-mirror.ts";
import type { Rpc } from "./rpc.ts";
import { Side } from "./side.ts";

const NO_ACCESS = { login: undefined, cacert: undefined, cert: undefined, key: undefined };
const HEADER = { clusterId: 1n, memberId: 1n, revision: 9, raftTerm: 1 };

/** A stream of answers, each time it is asked for. It ends after them, unless the last one is `GOES_ON`. */
class Source extends Side {
	asked = 0;
	private readonly answers: (tries: number) => ReadonlyArray<Partial<pb.WatchResponse>>;

	constructor(answers: (tries: number) => ReadonlyArray<Partial<pb.WatchResponse>>) {
		super("source", [], NO_ACCESS);
		this.answers = answers;
	}

	override connected(): Promise<OutsideClient> {
		const stream = (): Readable => {
			const answers = this.answers(this.asked++).map((answer) => ({ ...NOTHING, ...answer }));
			const made = new Readable({ objectMode: true, read: () => {} });
			for (const answer of answers) made.push(answer);
			if (!answers.at(-1)?.fragment) made.push(null);
			const canceled = Object.assign(new Error("canceled"), { code: 1, details: "canceled", metadata: {} });
			return Object.assign(made, { write: () => true, cancel: () => void made.destroy(canceled) });
		};
		return Promise.resolve({ stream, close: () => {} } as unknown as OutsideClient);
	}
}

const NOTHING: pb.WatchResponse = {
	...{ header: HEADER, watchId: 0n, created: false, canceled: false },
	...{ compactRevision: 0, cancelReason: "", fragment: false, events: [] },
};
const CREATED = { created: true };
const GOES_ON = { created: true, fragment: true };

class Target extends Side {
	readonly written: unknown[] = [];

	constructor() {
		super("target", [], NO_ACCESS);
	}

	override call<Q extends object, R extends object>({ path, response }: Rpc<Q, R>, request: Partial<Q>): Promise<R> {
		this.written.push([path.slice(path.lastIndexOf("/") + 1), request]);
		return Promise.resolve(response.create({}));
	}
}

function put(key: string, revision: number): Partial<pb.WatchResponse> {
	const kv = { key: Buffer.from(key), value: Buffer.from("v"), createRevision: revision, modRevision: revision, version: 1, lease: 0n };
	return { events: [{ type: 0, kv, prevKv: null }] };
}

afterEach(() => {
	vi.useRealTimers();
});

function following(answers: (tries: number) => ReadonlyArray<Partial<pb.WatchResponse>>) {
	const [source, target] = [new Source(answers), new Target()];
	const follower = new Follower(source, target, new LeaseMirror(source, target), 4);
	follower.endAt(9);
	return { source, target, follower };
}

const canceled = (cancelReason: string) => [{ canceled: true, created: true, watchId: -1n, cancelReason }];

test("a watch that is canceled for good ends the run with the reason; a passing reason does not", async () => {
	const denied = following(() => canceled("rpc error: code = PermissionDenied desc = etcdserver: permission denied"));
	await expect(denied.follower.run()).rejects.toThrow("the source, asked for Watch: rpc error: code = PermissionDenied");
	expect(denied.source.asked).toBe(1);
	const passing = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token";
	const { source, follower } = following((tries) => (tries === 0 ? canceled(passing) : [CREATED, put("a", 9)]));
	await follower.run();
	expect([source.asked, follower.revision, follower.events]).toEqual([2, 9, 1]);
});

test("a source that lets nobody watch is given up after a minute, with the reason", async () => {
	vi.useFakeTimers();
	const { source, follower } = following(() => canceled("etcdserver: no leader"));
	const run = expect(follower.run()).rejects.toThrow("the source, asked for Watch: etcdserver: no leader (tried for 60 s)");
	await vi.advanceTimersByTimeAsync(70_000);
	await run;
	expect(source.asked).toBeGreaterThan(1);
});

test("a source in which nothing happens does not keep it from ending", async () => {
	const { source, follower } = following(() => [GOES_ON]);
	follower.endAt(5);
	const run = follower.run();
	await vi.waitFor(() => expect(source.asked).toBe(1));
	follower.endAt(4);
	await run;
	expect([source.asked, follower.revision]).toEqual([1, 4]);
});

test("what another cluster tells is not carried out", async () => {
	const { source, target, follower } = following(() => [CREATED, put("a", 9)]);
	source.clusterId = 2n;
	await expect(follower.run()).rejects.toThrow("is of another cluster: 1, where the others are of 2");
	expect(target.written).toEqual([]);
});

test("compacted history is told in the words of a read", async () => {
	const { follower } = following(() => [CREATED, { canceled: true, compactRevision: 8 }]);
	await expect(follower.run()).rejects.toThrow("required revision has been compacted");
});

test("revisions that have come already share a transaction; what is above the end is left", async () => {
	const { target, follower } = following(() => [CREATED, put("a", 5), put("b", 6), put("b", 7), put("c", 9), put("d", 10)]);
	await follower.run();
	const shapes = target.written.map((call) => {
		const [method, request] = call as [string, { success?: unknown[] }];
		return [method, request.success?.length];
	});
	expect([shapes, follower.revision, follower.applied, follower.events]).toEqual([
		[
			["Txn", 2],
			["Txn", 2],
		],
		9,
		9,
		4,
	]);
});
