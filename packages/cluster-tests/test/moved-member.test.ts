/**
 * A member that was down while another one moved to a new peer address: of the two that are left neither can lead without the other,
 * and only the one that moved can tell where it is.
 */
import { freePorts } from "@flotilla/server/internal";
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { etcdctl } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const hostOf = ({ clientUrl }: ClusterMember): string => new URL(clientUrl).host;

/** The same member on the same folder, listening for its peers elsewhere. */
function elsewhere({ process }: ClusterMember, peerUrl: string): MemberProcess {
	const { args, logFile } = process.spec;
	const moved = args.map((value, at) => (args[at - 1] === "--listen-peer-urls" ? peerUrl : value));
	return new MemberProcess({ ...process.spec, args: moved, logFile: `${logFile}.moved` });
}

test("a member that was down while another one moved finds it where it says that it listens, and the two of them lead each other", async () => {
	await using cluster = await ProcessCluster.start();
	const [moving, away, third] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
	await away.process.kill("SIGTERM");
	const [port = 0] = await freePorts(1);
	const peerUrl = `http://127.0.0.1:${port}`;
	await eventually("the new address is in the list of members", async () => {
		const listed = await etcdctl(hostOf(moving), ["member", "list"]);
		const line = listed.stdout.split("\n").find((each) => each.includes(`, ${moving.name}, `));
		const update = await etcdctl(hostOf(moving), ["member", "update", line?.split(",")[0] ?? "", `--peer-urls=${peerUrl}`]);
		if (update.status !== 0) throw new Error(update.stderr);
	});
	await moving.process.kill("SIGTERM");
	const moved = elsewhere(moving, peerUrl);
	try {
		await moved.start();
		const client = new KvClient(hostOf(moving));
		try {
			// Both of them know it now, and the one that was away does not.
			await eventually("a write without the one that is away", () => client.put("k", "before", { timeoutMs: 5_000 }));
			await third.process.kill("SIGTERM");
			await away.process.start();
			await eventually("a write of the two", () => client.put("k", "after", { timeoutMs: 5_000 }));
		} finally {
			client.close();
		}
		const read = await etcdctl(hostOf(away), ["get", "k", "--print-value-only"]);
		expect([read.status, read.stdout]).toEqual([0, "after\n"]);
		expect((await etcdctl(hostOf(away), ["member", "list"])).stdout).toContain(peerUrl);
	} finally {
		await moved.dispose();
	}
});
