/**
 * Puts a second through three replicas in one process: no disk, no network, every write durable at once. It measures what
 * the logic costs, all three members together on one thread: `bench.ts [in flight] [value bytes] [seconds] [through: leader|follower]`.
 */
import { Dice, portableBytes, silentTap } from "@flotilla/base";
import { EMPTY_MARK, type RecordStorage, StoreRebuild, wholly } from "@flotilla/mvcc";
import { bootstrapPoint, type NodeId } from "@flotilla/raft";
import { CommandKind, WriteCall, type WriteOutcome } from "../src/calls.ts";
import type { MemberInfo } from "../src/members.ts";
import type { PeerMessage } from "../src/messages.ts";
import { Replica } from "../src/replica.ts";
import { bootstrapTables } from "../src/tables.ts";
import { putBytes } from "../test/world/requests.ts";

const [inFlight = 256, valueBytes = 256, seconds = 5] = process.argv.slice(2, 5).map(Number);
const through = process.argv[5] ?? "leader";
/** Turns between two ticks: some 1 ms each. */
const TURNS_A_TICK = 10;

interface Node {
	readonly id: NodeId;
	readonly replica: Replica;
	inbox: PeerMessage[];
}

/** Puts without prev_kv read nothing back. */
const NO_STORAGE: RecordStorage = {
	get() {
		throw new Error("nothing is stored");
	},
};
const members: MemberInfo[] = [1n, 2n, 3n].map((id) => ({
	id,
	name: `m${id}`,
	peerUrls: [`http://m${id}`],
	clientUrls: [],
	learner: false,
}));
const nodes: readonly Node[] = members.map(({ id }) => makeNode(id));

function makeNode(id: NodeId): Node {
	const restored = wholly(
		new StoreRebuild(EMPTY_MARK, { keepEvents: false, valueCacheBytes: 16 << 20 }, NO_STORAGE, portableBytes).finish(),
	);
	if (!restored.ok) throw new Error(restored.reason);
	const replica = new Replica(
		{
			memberId: id,
			clusterId: 1n,
			incarnation: Number(id),
			electionTicks: 100,
			heartbeatTicks: 10,
			tickMs: 10,
			maxRequestBytes: 1_572_864,
			quotaBytes: 0,
			applyBacklogMax: 5_000,
			unstoredBytesMax: 64 << 20,
			pendingCallsMax: 100_000,
			strictReconfigCheck: true,
			maxLearners: 1,
		},
		{ bytes: portableBytes, dice: new Dice(`bench ${id}`), tap: silentTap },
		{
			restoredLog: {
				hardState: { term: 1, vote: 0n, commit: 1 },
				base: bootstrapPoint(members.map((member) => member.id)),
				entries: [],
				firstIndex: 2,
				applied: 1,
			},
			store: restored.store,
			tables: bootstrapTables(members),
		},
	);
	return { id, replica, inbox: [] };
}

function post(messages: readonly PeerMessage[]): void {
	for (const message of messages) (nodes[Number(message.to) - 1] as Node).inbox.push(message);
}

function turn(node: Node): void {
	const { replica } = node;
	const inbox = node.inbox;
	node.inbox = [];
	for (const message of inbox) replica.receive(message);
	const output = replica.drain();
	post(output.send);
	let seq = 0;
	for (const work of output.appends) {
		post(work.release);
		seq = work.seq;
	}
	if (seq > 0) replica.onPersisted(seq);
	for (const batch of output.batches) replica.onStored(batch.seq);
	for (const { call, outcome } of output.completions) (call as WriteCall).done(outcome as WriteOutcome);
}

let turns = 0;
function turnAll(): void {
	if (++turns % TURNS_A_TICK === 0) for (const node of nodes) node.replica.tick();
	for (const node of nodes) turn(node);
}

for (let i = 0; i < 20_000 && !nodes.every(({ replica }) => replica.status().leader !== 0n); i++) turnAll();
const leader = nodes.find(({ replica }) => replica.status().core.role === "leader");
if (leader === undefined) throw new Error("no leader");
const door = through === "follower" ? (nodes.find((node) => node !== leader) as Node) : leader;

let done = 0;
let failed = 0;
let serial = 0;
const value = new Uint8Array(valueBytes).fill(120);
const finish = (outcome: WriteOutcome): void => {
	done++;
	if (!outcome.ok) failed++;
	write();
};
const payloads = Array.from({ length: 20_000 }, (_, at) => putBytes(`key/${at}`, value));
function write(): void {
	const payload = payloads[serial++ % payloads.length] as Uint8Array;
	door.replica.write(new WriteCall(CommandKind.put, payload, "", 0, 0, finish));
}

for (let i = 0; i < inFlight; i++) write();
const warmUntil = process.hrtime.bigint() + 1_000_000_000n;
while (process.hrtime.bigint() < warmUntil) turnAll();
const before = { done, turns, revision: leader.replica.store.revision };
const began = process.hrtime.bigint();
while (process.hrtime.bigint() < began + BigInt(seconds) * 1_000_000_000n) turnAll();
const tookMs = Number(process.hrtime.bigint() - began) / 1e6;
const puts = done - before.done;
const revisions = leader.replica.store.revision - before.revision;
console.log(
	`${Math.round((puts * 1_000) / tookMs)} puts/s through the ${through}: ${inFlight} in flight, ${valueBytes} B values, ` +
		`${(puts / (turns - before.turns)).toFixed(1)} a turn, ${((tookMs * 1_000) / puts).toFixed(2)} us a put on three members; ` +
		`${revisions} revisions, ${failed} failed`,
);
