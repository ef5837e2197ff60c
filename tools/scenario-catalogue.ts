/**
 * The scenarios that the protocol and everything around it must show, by number. Data only: `scenarios.ts` finds the tests
 * and writes docs/scenarios.md. A note says what differs from the catalogue, or why there is no test.
 */
export interface Scenario {
	readonly number: number;
	readonly title: string;
	readonly note?: string;
}

export interface Section {
	readonly title: string;
	readonly scenarios: readonly Scenario[];
}

const NO_LEASE =
	"The product has no lease reads (docs/consensus.md, D6), so neither INV-29 nor a lease is shown: the same story is told with reads by rounds, and what is shown is that none is stale.";

export const CATALOGUE: readonly Section[] = [
	section("Elections, pre-vote, check-quorum", 1, [
		["a campaign"],
		["random time-outs"],
		["a split vote"],
		["whose log is up to date"],
		["one vote a term"],
		["a vote survives a crash"],
		["a pre-vote raises no term"],
		["a stuck candidate is freed"],
		["a refused pre-vote tells the term"],
		["a leader without a quorum steps down"],
		["stickiness"],
		["the own vote after a lost election"],
		["pre-votes do not count in an election"],
		["answers of the wrong kind"],
		["a stale grant after a crash at the same term"],
		["a follower that hears nothing"],
		["five members, partial connectivity"],
		["a chain"],
		["what puts an election off"],
		["the first election", "By the clock of the tests, not by real processes: a real one would measure the machine."],
		["time-outs at their limits"],
	]),
	section("Replication and commit", 22, [
		["the thesis' figure 3.7"],
		["the thesis' figure 3.6"],
		["hints"],
		["A, B, A in flight to the disk"],
		["a late, shorter append"],
		["commit only what is verified"],
		["an append below commit"],
		["a conflict at a committed index"],
		["a window that was lost"],
		["unreachable, probed, streaming again"],
		["appends in another order"],
		["news of the commit that was lost"],
	]),
	section("Reads", 34, [
		["a lone voter after a restart"],
		["a new leader"],
		["a token of a former process life"],
		["retries and late echoes"],
		["a late timeoutNow", NO_LEASE],
		["a restarted voter", NO_LEASE],
		["a paused leader"],
		["a promise and a raised term", NO_LEASE],
		["clocks of different rates", NO_LEASE],
		["a leader in a minority"],
		["a thousand reads in a turn"],
		["reads while the configuration changes"],
	]),
	section("Transfers", 46, [
		["to a member that is up to date"],
		["to one that lags"],
		["to one that needs a snapshot"],
		["who may be the target"],
		["the target dies"],
		["without a pre-vote"],
		["the target is removed"],
		["with reads under way"],
		["to a candidate"],
	]),
	section("Membership", 55, [
		["two leaders, a change of each"],
		["a candidate under an old configuration"],
		["a voter more"],
		["a joint configuration that leaves by itself"],
		["one that is left on request"],
		["the leader is replaced"],
		["of two the leader is removed"],
		["the commit is lost and the entries are kept"],
		["one change at a time"],
		["a new member that is silent"],
		["a learner must vote"],
		["a voter becomes a learner"],
		["a removed member asks for votes"],
		["a removed leader stops"],
		["a leader of the outgoing half"],
		["a commit by a smaller quorum"],
		["configurations come back"],
		["ids are not used again"],
		["members come and go at random", "Whole members under churn in the simulator (`npm run sim`)."],
	]),
	section("Snapshots and compaction", 74, [
		[
			"a crash at each step of an install",
			"Random moments in real processes; between any two operations in the simulator (`npm run sim`).",
		],
		["a second snapshot during an install"],
		["over a tail that contradicts"],
		["of an entry that the log holds"],
		["a report that fails or is lost"],
		["a slow follower after compaction"],
		["unknown is not failed"],
		["the configuration of the snapshot's index"],
		["appends at the edge of a snapshot"],
	]),
	section("Flow control, overload", 83, [
		["a leader without a quorum is bounded"],
		["uncommitted bytes"],
		["apply in pages"],
		[
			"a slow state machine",
			"In the core and the replica applying can be made slow. A whole member applies in memory; what it waits for is its store, which the simulator and the third test make slow.",
		],
		["a slow disk of a follower"],
		["a follower far behind"],
	]),
	section("Storage", 89, [
		["a torn write at every byte"],
		["a flipped bit in any frame but the last"],
		[
			"a stuck disk",
			"Whole members: the simulator's slow disks; a campaign must reach the mark diskStalledAbdicates. Real processes: `npm run chaos -- --scenario stuck-leader-disk`, judged, for seconds at a time.",
		],
		[
			"a failed sync",
			"Whole members: the simulator's failing disks. Real processes: `npm run chaos -- --scenario failing-disk` and `npm run damage -- --calls`; a short form of both runs in the tests (`chaos.test.ts`, `damage.test.ts`).",
		],
		[
			"a full disk",
			"Whole members: the simulator's full disks. Real processes: the scenario full-disk in `chaos-places.test.ts`. No refusals and no handing over while there is no spare segment: see [consensus.md](consensus.md).",
		],
		["an old copy of a data folder"],
		["power loss"],
		["kinds that no peer may send"],
		["a broken invariant stops the process"],
		["the leader's disk fails after its appends left"],
		["a lone voter acknowledges early"],
		[
			"effect and applied index together",
			"A record that never reaches the store is a planted bug that the simulator must find (losesAppliedTail). Real processes: `power-loss.test.ts` takes the unsynced pages of every store.",
		],
		["a crash in a segment's cut, deletion, rename"],
		[
			"the lock",
			"The lock is the kernel's, on the store's file, and goes with its process: no pid is written down, so none can be taken for that of another process.",
		],
		[
			"recovering mode",
			"No recovering mode (docs/consensus.md, D5): a member whose log has a hole may have acknowledged what is gone, so it must neither vote nor acknowledge, and to let it do so again after a barrier would stand on a proof that nobody has made. It refuses to start instead, names file and offset, and is replaced by a new member: those are the tests. An entry that only it and a leader held, which is then lost too, is lost with them: a quorum is gone.",
		],
		["damaged vote slots"],
	]),
	section("Transport, process, operations", 105, [
		["wrong cluster, node, version; removed"],
		[
			"a full queue",
			"A full queue and its drops at the transport, where the limit can be made small: towards a real member the window of appends fills first, so its leader's queue stays below its limit, and is cut off when the connection is. For longer: `npm run chaos -- --scenario thin-links`.",
		],
		[
			"a large snapshot and the heartbeats",
			"64 MiB at a capped rate in the tests, all lanes on one link; 2 GiB, or whatever is wanted, by `npm run big-snapshot -- 2048 --rate 50`.",
		],
		["the event loop stalls"],
		[
			"mixed versions",
			"No two builds are mixed, since there is one: the version is a constant, peers speak exactly one protocol version, and no feature hangs on the cluster's version, so a build that only called itself another one would show nothing. Shown is what a second one will meet: a later format is refused by name, another protocol version at the handshake; the cluster's version is decided by the leader when all members have announced themselves, and is replicated. Members restarted one after the other under writes: `npm run chaos -- --scenario rolling-restart`.",
		],
		["a storm of kill -9", "For as long as wanted: `npm run kills`, `npm run chaos -- --scenario mixed-five`."],
		["forwarded proposals that come twice"],
		["a log that is only a snapshot wins no election that it should lose"],
		[
			"determinism",
			"Of whole members the hash of their trace: other sizes of the young generation, a collection every 20,000 allocations, no optimised code, modules that are loaded in other orders.",
		],
		["the quorum's arithmetic, by brute force"],
		["who steps down keeps its log"],
		["the smallest logs"],
		["late acknowledgements of a removed member"],
		["a voter that cannot get the log"],
		["an old leader changes the configuration"],
		["a candidate in the middle of an install"],
		["a wiped follower"],
		[
			"the wall clock jumps",
			"Whole members with and without the jumps run the same way to the byte; real processes are judged while their clocks jump, and the code is handed clocks that do.",
		],
		[
			"many groups",
			"A process is one member of one group (docs/consensus.md, D7), so nothing coalesces heartbeats of groups and no process can be measured. The core alone in the test, counted; its processor time by `npm run bench:groups`: 13 % for a thousand groups at ticks of 10 ms on a busy machine, above the 5 % asked for.",
		],
		["a clean stop"],
	]),
];

function section(title: string, first: number, rows: readonly (readonly [string, string?])[]): Section {
	const scenarios = rows.map(([name, note], at): Scenario => {
		return note === undefined ? { number: first + at, title: name } : { number: first + at, title: name, note };
	});
	return { title, scenarios };
}
