/** A member that is added to a running cluster: it learns its id from the others, is sent the state, and serves. */
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { etcdctl, haveProgram } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

test.skipIf(!haveProgram("etcdctl"))(
	"a new member joins with etcdctl's words, holds what the others hold, and comes back after kill -9",
	async () => {
		const cluster = await ProcessCluster.start();
		const { clientUrl, peerUrl, process } = await cluster.newcomer("m4");
		const clients = [...cluster.endpoints, clientUrl.slice("http://".length)].map((endpoint) => new KvClient(endpoint));
		try {
			const [first] = clients as [KvClient];
			for (let n = 0; n < 200; n++) await first.put(`k${n}`, `v${n}`);
			const unknown = process.exited.bind(process);
			process.spawn();
			expect(await unknown()).toBe(1);
			expect(process.tail).toContain("member count is unequal");

			// A young cluster says "unhealthy" until its members have been connected for some seconds, as etcd does.
			await eventually("the addition", async () => {
				const added = await etcdctl(cluster.endpoints, ["member", "add", "m4", `--peer-urls=${peerUrl}`]);
				// By a try whose answer was lost.
				if (!added.stderr.includes("Peer URLs already exists")) expect(added.status, added.stderr).toBe(0);
			});
			await process.start();
			await first.put("after", "the join");
			const sameEverywhere = async (): Promise<void> => {
				const { header } = await first.put("last", "write");
				const revision = Number(header.revision);
				await eventually("equal hashes", async () => {
					const hashes = await Promise.all(clients.map((client) => client.hashKv(revision)));
					expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
				});
			};
			await sameEverywhere();
			await eventually("all names are known to the new member", async () => {
				const list = await etcdctl(clientUrl.slice("http://".length), ["member", "list"]);
				expect(list.stdout.split("\n").filter((line) => line.includes("started")).length).toBe(4);
			});

			await process.kill("SIGKILL");
			await first.put("while", "it was away");
			await process.start();
			await sameEverywhere();
		} finally {
			for (const client of clients) client.close();
			await process.dispose();
			await cluster.dispose();
		}
	},
);
