/** The majority of a cluster is lost for good: one member's data folder becomes a cluster of one, and grows again. Real processes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type ClusterMember, FLOTILLA_PROGRAM, ProcessCluster } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { etcdctl, haveProgram, runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const MINUTE = 60_000;
const REMOVED = "the member has been permanently removed from the cluster";

describe.skipIf(!haveProgram("etcdctl"))("--force-new-cluster (needs Debian's etcd-client)", () => {
	let cluster: ProcessCluster;
	const more: MemberProcess[] = [];
	afterEach(async () => {
		await Promise.all(more.splice(0).map((process) => process.dispose()));
		await cluster?.dispose();
	});

	const at = ({ clientUrl }: ClusterMember): string => clientUrl.slice("http://".length);

	async function good(member: ClusterMember, ...args: string[]): Promise<string> {
		const { status, stdout, stderr } = await etcdctl(at(member), args);
		if (status !== 0) throw new Error(stderr);
		return stdout;
	}

	function forced({ process, name }: ClusterMember, ...flags: string[]): MemberProcess {
		const { args, ...spec } = process.spec;
		const made = new MemberProcess({ ...spec, name: `${name} forced`, args: [...args, "--force-new-cluster", ...flags] });
		more.push(made);
		return made;
	}

	const ids = async (member: ClusterMember): Promise<string> =>
		JSON.parse(await good(member, "endpoint", "status", "-w", "json"))[0].Status.header.cluster_id;

	test(
		"keeps keys, leases and users, is safe against the old members, and grows again",
		async () => {
			cluster = await ProcessCluster.start();
			const [one, two, three] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
			for (let at = 0; at < 50; at++) await good(one, "put", `k${at}`, `v${at}`);
			await good(one, "user", "add", "ann:pw");
			const lease = /lease ([0-9a-f]+)/.exec(await good(one, "lease", "grant", "5000"))?.[1] as string;
			await good(one, "put", "leased", "x", `--lease=${lease}`);
			const before = { cluster: await ids(one), keys: await good(one, "get", "", "--from-key") };
			// While the others run it is refused, and nothing happened to the member.
			await one.process.kill("SIGKILL");
			const refused = forced(one);
			refused.spawn();
			expect(await refused.exited()).toBe(3);
			expect(refused.tail).toContain("another member of the cluster is running");
			await two.process.kill("SIGKILL");
			await three.process.kill("SIGKILL");
			const alone = forced(one);
			await alone.start();
			expect(alone.tail).toContain("FORCED A NEW CLUSTER");
			expect({ cluster: await ids(one), keys: await good(one, "get", "", "--from-key") }).toEqual(before);
			expect(await good(one, "user", "list")).toBe("ann\n");
			expect(await good(one, "lease", "timetolive", lease, "--keys")).toContain("leased");
			expect((await good(one, "member", "list")).trim().split("\n")).toHaveLength(1);
			await good(one, "put", "after", "the loss");
			// The old ones come back, a majority of their cluster: they are told, end, and never start again.
			two.process.spawn();
			three.process.spawn();
			for (const { process } of [two, three]) {
				expect(await process.exited()).toBe(0);
				expect(process.tail).toContain(REMOVED);
			}
			expect(await good(one, "get", "after", "--print-value-only")).toBe("the loss\n");
			// The flag was forgotten in the command: harmless, until another member has joined.
			await alone.kill("SIGTERM");
			await alone.start();
			const joining = await cluster.newcomer("m4", [one]);
			more.push(joining.process);
			await good(one, "member", "add", "m4", `--peer-urls=${joining.peerUrl}`);
			await joining.process.start();
			await eventually("the newcomer serves", async () =>
				expect(await good(joining, "get", "after", "--print-value-only")).toBe("the loss\n"),
			);
			await alone.kill("SIGKILL");
			alone.spawn();
			expect(await alone.exited()).toBe(3);
			expect(alone.tail).toContain("others have joined it since");
			await one.process.start();
			await eventually("both serve", () => good(one, "put", "both", "serve"));
			expect(await good(joining, "get", "both", "--print-value-only")).toBe("serve\n");
		},
		8 * MINUTE,
	);

	test("makes nothing of a folder that is not there", async () => {
		cluster = await ProcessCluster.create({ size: 1 });
		const { process, dataDir } = cluster.member(0);
		const { status, stderr } = await runTool(FLOTILLA_PROGRAM, [...process.spec.args, "--force-new-cluster"]);
		expect([status, stderr]).toEqual([3, expect.stringContaining("start without the flag")]);
		expect(existsSync(dataDir)).toBe(false);
		expect(existsSync(join(cluster.folder, "member"))).toBe(false);
	});
});
