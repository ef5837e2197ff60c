/** A change of the members whose answer was lost is asked for once more: by etcd's rules, which refuse a second voter that is not started. */
import { expect, test } from "vitest";
import { addMember, type ListedMember, type MemberClient, promoteMember, removeMember } from "./member-changes.ts";
import { RpcError } from "./rpc-error.ts";

const URL = "http://m3:2380";
const RESET = new RpcError(14, "No connection established. Last error: read ECONNRESET");

/** Carries out what it is asked; answers get lost as often as told. */
class Cluster implements MemberClient {
	readonly asked: string[] = [];
	private lost: number;
	private nextId = 10;
	private readonly table = new Map<string, ListedMember>();

	constructor(members: readonly ListedMember[], lost: number) {
		for (const member of members) this.table.set(member.ID, member);
		this.lost = lost;
	}

	get ids(): string[] {
		return [...this.table.keys()];
	}

	async members(): Promise<{ members: ListedMember[] }> {
		return { members: [...this.table.values()] };
	}

	async call(_service: string, method: string, _types: unknown, request: Record<string, unknown>): Promise<Record<string, unknown>> {
		this.asked.push(method);
		const answer = this.carryOut(method, request);
		if (this.lost-- > 0) throw RESET;
		return answer;
	}

	private carryOut(method: string, { ID, peerURLs, isLearner }: Record<string, unknown>): Record<string, unknown> {
		const all = [...this.table.values()];
		const named = this.table.get(String(ID));
		switch (method) {
			case "MemberAdd": {
				if (isLearner !== true && all.some(({ name, isLearner: learner }) => name === "" && learner !== true))
					throw new RpcError(9, "etcdserver: re-configuration failed due to not enough started members");
				const urls = peerURLs as readonly string[];
				if (all.some((one) => one.peerURLs.some((url) => urls.includes(url))))
					throw new RpcError(9, "etcdserver: Peer URLs already exists");
				const member = { ID: String(this.nextId++), name: "", peerURLs: urls, isLearner: isLearner === true };
				this.table.set(member.ID, member);
				return { member };
			}
			case "MemberRemove":
				if (!this.table.delete(String(ID))) throw new RpcError(5, "etcdserver: member not found");
				return {};
			default:
				if (named === undefined) throw new RpcError(5, "etcdserver: member not found");
				if (named.isLearner !== true) throw new RpcError(9, "etcdserver: can only promote a learner member");
				this.table.set(named.ID, { ...named, isLearner: false });
				return {};
		}
	}
}

const started = (ID: string, url: string): ListedMember => ({ ID, name: `m${ID}`, peerURLs: [url] });
const two = [started("1", "http://m1:2380"), started("2", "http://m2:2380")];

test.each([false, true])(
	"a member that was added by a try whose answer was lost is found by the next one (learner: %s)",
	async (learner) => {
		const cluster = new Cluster(two, 1);
		await expect(addMember(cluster, { peerUrl: URL, learner })).rejects.toBe(RESET);
		expect(await addMember(cluster, { peerUrl: URL, learner })).toBe("10");
		expect(cluster.ids).toEqual(["1", "2", "10"]);
		expect(cluster.asked).toEqual(["MemberAdd"]);
	},
);

test("an answer that comes tells the id", async () => {
	expect(await addMember(new Cluster(two, 0), { peerUrl: URL })).toBe("10");
});

test("whoever had the URL before, and is listed still, is not taken for the one that is to be added", async () => {
	const cluster = new Cluster([...two, started("3", URL)], 0);
	await expect(addMember(cluster, { peerUrl: URL, instead: "3" })).rejects.toThrow("Peer URLs already exists");
	await removeMember(cluster, "3");
	expect(await addMember(cluster, { peerUrl: URL, instead: "3" })).toBe("10");
});

test("a second voter is refused while the first is not started, as ever", async () => {
	const cluster = new Cluster(two, 0);
	await addMember(cluster, { peerUrl: URL });
	await expect(addMember(cluster, { peerUrl: "http://m4:2380" })).rejects.toThrow("not enough started members");
});

test("a removal whose answer was lost is done", async () => {
	const cluster = new Cluster(two, 1);
	await expect(removeMember(cluster, "2")).rejects.toBe(RESET);
	await removeMember(cluster, "2");
	expect(cluster.ids).toEqual(["1"]);
});

test("so is a promotion; and nobody is promoted who is not there", async () => {
	const cluster = new Cluster([...two, { ...started("3", URL), isLearner: true }], 1);
	await expect(promoteMember(cluster, "3")).rejects.toBe(RESET);
	await promoteMember(cluster, "3");
	expect((await cluster.members()).members.filter(({ isLearner }) => isLearner === true)).toEqual([]);
	await expect(promoteMember(cluster, "9")).rejects.toThrow("member not found");
});
