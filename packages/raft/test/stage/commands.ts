import type { MembershipOp, MembershipRequest, Message, NodeId, RaftConfig, Term } from "../../src/index.ts";
import type { LogImage } from "../sim/disk.ts";
import type { Stage } from "./stage.ts";
import { describeEntries, describeMessage, describePeer, describeStatus } from "./words.ts";

/**
 * The commands of a transcript, each with its words. Nothing moves unless a command says so; `settle` lets everything happen
 * that needs no time, `pass n` lets n ticks pass for everybody and settles after each.
 */
export function carryOut(stage: Stage, line: string): void {
	const [name = "", ...words] = line.split(/\s+/);
	const command = COMMANDS[name];
	if (command === undefined) throw new Error(`there is no command ${name}`);
	command(stage, words);
}

type Command = (stage: Stage, words: readonly string[]) => void;

const COMMANDS: Readonly<Record<string, Command>> = {
	/** nodes 1 2 3 [1=[1 1 2], terms of its log from index 2 on] [option=value] */
	nodes: (stage, words) => {
		const voters = words.filter((word) => /^\d+$/.test(word)).map(BigInt);
		const logs = new Map<NodeId, Term[]>();
		const config: Record<string, number | boolean> = {};
		for (const word of words) {
			const [, key = "", value = ""] = /^(\w+)=(.*)$/.exec(word) ?? [];
			if (/^\d+$/.test(key)) logs.set(BigInt(key), value.split(",").map(Number));
			else if (key !== "") config[key] = value === "on" ? true : value === "off" ? false : Number(value);
		}
		stage.build(voters, config as Partial<RaftConfig>, logs);
	},
	/** join 4: a process without any state, which waits to be made a member. */
	join: ({ cluster }, [id]) => void cluster.addEmpty(BigInt(id ?? 0)),
	hide: (stage, words) => {
		for (const word of words) stage.hidden.add(word);
	},
	show: (stage, words) => {
		for (const word of words) stage.hidden.delete(word);
	},

	/** elect 1: makes 1 leader; how that goes is told elsewhere (campaign.txt) */
	elect: input((stage, id) => {
		stage.cluster.elect(id);
		stage.take();
		stage.say(`${id} leads term ${stage.cluster.status(id).term}, and all is committed up to ${stage.cluster.status(id).commit}`);
	}),
	campaign: input((stage, id) => stage.cluster.input(id, ({ core }) => core.campaign())),
	tick: input((stage, id, [count = "1"]) => {
		for (let i = 0; i < Number(count); i++) stage.cluster.tick(id);
	}),
	propose: input((stage, id, [count = "1"]) => refusal(stage, id, stage.cluster.propose(id, Number(count)))),
	read: input((stage, id) => {
		const counter = stage.cluster.read(id);
		stage.say(counter === 0 ? `${id} refuses the read` : `${id} takes read ${counter}`);
	}),
	/** change 1 add 4, learner 5, remove 2 [explicit]; without changes: leave the joint configuration */
	change: input((stage, id, words) => {
		const explicit = words.at(-1) === "explicit";
		const text = (explicit ? words.slice(0, -1) : words).join(" ");
		const changes = text === "" ? [] : text.split(/,\s*/).map(changeOf);
		const request: MembershipRequest = { changes, transition: explicit ? "jointExplicit" : "auto", context: new Uint8Array(0) };
		refusal(stage, id, stage.cluster.request(id, request));
	}),
	transfer: input((stage, id, [to]) => stage.cluster.input(id, ({ core }) => refusal(stage, id, core.transferLeadership(BigInt(to ?? 0))))),
	/** lost 2 1: 2 has lost all connections to 1, its leader (rule H2) */
	lost: input((stage, id, [leader]) => stage.cluster.input(id, ({ core }) => core.leaderConnectionLost(BigInt(leader ?? 0)))),
	unreachable: input((stage, id, [peer]) => stage.cluster.input(id, ({ core }) => core.reportUnreachable(BigInt(peer ?? 0)))),
	disk: input((stage, id, [state]) => stage.cluster.input(id, ({ core }) => core.setDiskStalled(state === "stuck"))),
	/** stalled 1: its process was stopped for five election timeouts and goes on */
	stalled: input((stage, id) => stage.cluster.input(id, ({ core }) => core.onStall(50))),

	drain: input((stage, id) => stage.cluster.drain(id)),
	persist: input((stage, id, [count = "1000"]) => stage.cluster.persist(id, Number(count))),
	apply: input((stage, id, [count = "1000"]) => stage.cluster.apply(id, Number(count))),
	/** turn 1: drain, write, release, apply, and drain what came of it */
	turn: input((stage, id) => {
		stage.cluster.drain(id);
		stage.cluster.persist(id);
		stage.cluster.apply(id);
		stage.cluster.drain(id);
	}),
	fetched: input((stage, id) => stage.cluster.answerFetch(id)),
	floor: input((stage, id, [keep = "0"]) => stage.cluster.floor(id, Number(keep))),
	/** crash 1 [n]: of what was not synced, n writes survive */
	crash: input((stage, id, [kept = "0"]) => stage.cluster.crash(id, () => Number(kept))),
	restart: input((stage, id) => stage.cluster.restart(id)),
	/** copy 1: of its disk, and later putBack 1: its process ends and begins again on that */
	copy: input((stage, id) => stage.copies.set(id, stage.cluster.member(id).disk.synced.copy())),
	putBack: input((stage, id) => stage.cluster.putBack(id, stage.copies.get(id) as LogImage)),

	settle: ({ cluster }) => cluster.settle(),
	pass: ({ cluster }, [ticks = "1"]) => cluster.pass(Number(ticks)),
	/** deliver [kind] [1>2]: what matches is handed over in order; nothing is drained */
	deliver: ({ cluster }, words) => {
		for (const message of cluster.take(matcher(words))) cluster.hand(message);
	},
	/** newest [kind] [1>2]: of what matches, the one that was sent last overtakes the others */
	newest: ({ cluster }, words) => {
		const last = cluster.messages.findLast(matcher(words));
		for (const message of cluster.take((each) => each === last)) cluster.hand(message);
	},
	/** repeat [kind] [1>2]: as deliver, and it stays on the wire */
	repeat: ({ cluster }, words) => {
		for (const message of cluster.messages.filter(matcher(words))) cluster.hand(message);
	},
	/** hold [kind] [1>2]: what matches is late; release puts it back on the wire */
	hold: (stage, words) => {
		stage.held.push(...stage.cluster.take(matcher(words)));
	},
	release: (stage) => {
		stage.cluster.messages.push(...stage.held.splice(0));
	},
	drop: (stage, words) => {
		for (const message of stage.cluster.take(matcher(words))) stage.say(`lost: ${describeMessage(message)}`);
	},
	wire: (stage) => {
		for (const message of stage.cluster.messages) stage.say(describeMessage(message));
	},
	/** snapshot arrives, or snapshot fails: the oldest transfer ends */
	snapshot: ({ cluster }, [how]) => cluster.endTransfer(0, how === "arrives"),

	/** cut 1>2 2-3: one way, or both */
	cut: ({ cluster }, words) => {
		for (const word of words) {
			const [, one = "0", way, other = "0"] = /^(\d+)([->])(\d+)$/.exec(word) ?? [];
			cluster.cut.add(`${one}>${other}`);
			if (way === "-") cluster.cut.add(`${other}>${one}`);
		}
	},
	isolate: input((stage, id) => stage.cluster.isolate(id)),
	heal: ({ cluster }) => cluster.heal(),

	status: (stage, words) => {
		for (const id of words.length > 0 ? words.map(BigInt) : stage.cluster.ids) {
			stage.say(stage.cluster.member(id).up ? describeStatus(stage.cluster.status(id)) : `${id} is down`);
		}
	},
	progress: input((stage, id) => {
		for (const peer of stage.cluster.status(id).peers) stage.say(describePeer(peer));
	}),
	/** log 2: what a crash would leave of its log */
	log: input((stage, id) => {
		const { base, entries } = stage.cluster.member(id).disk.synced;
		stage.say(`${id} base ${base.index}@${base.term} ${describeEntries(entries)}`.trimEnd());
	}),
};

function input(act: (stage: Stage, id: NodeId, words: readonly string[]) => void): Command {
	return (stage, [id = "0", ...words]) => act(stage, BigInt(id), words);
}

function refusal(stage: Stage, id: NodeId, taken: boolean): void {
	if (!taken) stage.say(`${id} refuses`);
}

function changeOf(text: string): { op: MembershipOp; node: NodeId } {
	const [verb, node] = text.split(" ");
	const op = verb === "add" ? "addVoter" : verb === "learner" ? "addLearner" : "remove";
	return { op, node: BigInt(node ?? 0) };
}

function matcher(words: readonly string[]): (message: Message) => boolean {
	return (m) => words.every((word) => word === m.kind || word === `${m.from}>${m.to}` || word === `>${m.to}` || word === `${m.from}>`);
}
