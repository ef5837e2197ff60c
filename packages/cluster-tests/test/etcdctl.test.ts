/**
 * etcdctl against real processes: every command is run against flotilla and, in the same order, against a real etcd; what
 * they print must be equal to the letter but for ids, addresses, terms and times.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agreement } from "../src/compat/agreement.ts";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { normaliseOutput, sortLines } from "../src/process/normalise.ts";
import { etcdctl, haveProgram, type ToolResult } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const agreement = new Agreement();
const haveTools = haveProgram("etcdctl") && haveProgram("etcd");

interface Step {
	readonly args: readonly string[];
	readonly input?: string;
}

/** `{r}` stands for nothing: revisions are equal on both sides because both run the same history. */
const steps: Step[] = [
	["put foo bar"],
	["put foo bar2 --prev-kv"],
	["put foo bar3 --prev-kv -w json"],
	["put empty", ""],
	["put from-stdin", "value from standard input\n"],
	["put foo --ignore-value"],
	["put missing --ignore-value"],
	["put foo x --ignore-lease"],
	["put missing x --ignore-lease"],
	["put foo x --lease=1234"],
	["put a1 1"],
	["put a2 2"],
	["put a3 33"],
	["put b1 zzz"],
	["put a2 22"],
	["get foo"],
	["get foo -w json"],
	["get foo -w fields"],
	["get foo -w simple"],
	["get foo --print-value-only"],
	["get missing"],
	["get missing -w json"],
	["get a --prefix"],
	["get a --prefix -w json"],
	["get a1 a3"],
	["get a1 a3 -w json"],
	["get a2 --from-key"],
	["get '' --prefix --keys-only"],
	["get '' --from-key --keys-only -w json"],
	["get a --prefix --limit=2"],
	["get a --prefix --limit=2 -w json"],
	["get a --prefix --limit=3 -w json"],
	["get a --prefix --order=DESCEND"],
	["get a --prefix --order=ASCEND"],
	["get a --prefix --sort-by=VALUE"],
	["get a --prefix --sort-by=VALUE --order=DESCEND -w json"],
	["get a --prefix --sort-by=MODIFY --order=DESCEND"],
	["get a --prefix --sort-by=CREATE --order=ASCEND"],
	["get a --prefix --sort-by=VERSION --order=DESCEND"],
	["get a --prefix --sort-by=KEY"],
	["get a --prefix --sort-by=MODIFY --limit=1"],
	["get foo --rev=2"],
	["get foo --rev=2 -w json"],
	["get foo --rev=1"],
	["get foo --rev=999"],
	["get foo --consistency=s"],
	["get foo --consistency=l -w json"],
	["get foo --hex"],
	["get a --prefix --hex -w json"],
	["del a1"],
	["del a1"],
	["del a --prefix --prev-kv"],
	["put c1 1"],
	["put c2 2"],
	["put c3 3"],
	["del c1 c3 --prev-kv -w json"],
	["del c3 --from-key -w json"],
	["put d1 1"],
	["del d --prefix"],
	["del nothing --prefix -w json"],
	["txn", 'mod("foo") > "0"\n\nput foo txn-yes\nget foo\n\nput foo txn-no\n\n'],
	["txn -w json", 'val("foo") = "txn-yes"\nver("foo") > "1"\n\nput k1 v1\nput k2 v2\nget k --prefix\ndel k1\n\nget foo\n\n'],
	["txn -w json", 'val("nope") = "x"\n\nput k1 v1\n\nget foo\nget k --prefix\n\n'],
	["txn", 'create("absent") = "0"\n\nput absent now-here\n\nget absent\n\n'],
	["txn -w json", 'create("absent") = "0"\n\nput absent again\n\nget absent\n\n'],
	["txn", 'ver("foo") < "100"\nmod("foo") != "1"\n\nget foo\n\n\n'],
	["txn", "\nput dup 1\nput dup 2\n\n\n"],
	["txn -w json", "\nget foo\nget absent\n\n\n"],
	["txn -w json", "\n\n\n"],
	["txn -i", 'mod("foo") > "0"\n\nput foo txn-typed\nget foo\n\nput foo txn-no\n\n'],
	["txn --interactive -w json", 'mod("foo") = "0"\n\nput foo txn-no\n\nget foo\n\n'],
	["compaction 4 -w json"],
	["compaction 4 -w json"],
	["compaction 5"],
	["compaction 5"],
	["compaction 3"],
	["compaction 9999"],
	["compaction 8 --physical"],
	["get foo --rev=4"],
	["get foo --rev=8"],
	["get foo --rev=8 -w json"],
	["endpoint hashkv -w json"],
	["member list"],
	["member list -w json"],
	["member list -w table"],
	["member list -w simple"],
	["alarm list"],
	["alarm disarm"],
	["endpoint health"],
	["endpoint health -w json"],
	["defrag"],
	["defrag -w json"],
	["lease list"],
	["lease grant 600"],
	["put leased/1 v --lease={lease}"],
	["put leased/2 v"],
	["put leased/2 w --ignore-lease"],
	["put leased/3 v --lease=123"],
	["get leased --prefix -w json"],
	["lease timetolive {lease}"],
	["lease timetolive {lease} --keys"],
	["lease timetolive {lease} --keys -w json"],
	["lease timetolive 123"],
	["lease timetolive 123 -w json"],
	["lease timetolive nonsense"],
	["lease keep-alive {lease} --once"],
	["lease keep-alive {lease} --once -w json"],
	["lease keep-alive 123 --once"],
	["lease list"],
	["lease list -w json"],
	["lease revoke {lease}"],
	["lease revoke {lease}"],
	["lease revoke nonsense"],
	["lease timetolive {lease}"],
	["get leased --prefix"],
	["lease grant 500 -w json"],
	["lease grant 0"],
	["lease grant nonsense"],
	["lease grant 9000000001"],
	["lock a-lock true"],
	["lock a-lock false"],
	["lock a-lock echo held"],
	["move-leader nonsense"],
	["member remove 123"],
	["member remove nonsense"],
	["member promote 123"],
	["member promote 123 -w json"],
	["member remove 123 -w json"],
	["member update 123 --peer-urls=http://127.0.0.1:1"],
	["member update 123"],
	["member add"],
	["member add more"],
	["member add more --peer-urls=nonsense"],
	["snapshot save"],
	["snapshot status /nowhere"],
	["check datascale --load=nonsense"],
	["check perf --load=nonsense"],
	["put last v"],
].map(([line, input]) => ({ args: splitWords(line as string), ...(input === undefined ? {} : { input }) }));

function splitWords(line: string): string[] {
	return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
}

describe.skipIf(!haveTools).each(["native", "grpc-js"])(
	"etcdctl against flotilla (%s) and against etcd (needs Debian's etcd-client and etcd-server)",
	(front) => {
		let ours: ProcessCluster;
		let theirs: ProcessCluster;
		/** Of each cluster the lease that it granted last: `{lease}` in a step. */
		const leases = new Map<ProcessCluster, string>();

		const run = async (cluster: ProcessCluster, at: number, { args, input }: Step): Promise<ToolResult> => {
			const named = args.map((arg) => arg.replace("{lease}", leases.get(cluster) ?? ""));
			const result = await etcdctl(cluster.endpoints[at % 3] as string, named, input === undefined ? {} : { input });
			const granted = /^lease ([0-9a-f]+) granted/.exec(result.stdout);
			if (granted !== null) leases.set(cluster, granted[1] as string);
			return result;
		};

		beforeAll(async () => {
			[ours, theirs] = await Promise.all([
				ProcessCluster.start({ flags: [...STAYS, `--grpc-server=${front}`] }),
				ProcessCluster.start({ program: "etcd", flags: STAYS }),
			]);
		});
		afterAll(async () => {
			console.log(agreement.lines("etcdctl, flotilla beside etcd:").join("\n"));
			await Promise.all([ours?.dispose(), theirs?.dispose()]);
		});

		// Each command goes through another member than the one before: any of them must do.
		for (const [at, step] of steps.entries()) {
			test(`${at}: etcdctl ${step.args.join(" ")}`, async () => {
				await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
				const [mine, reference] = await Promise.all([run(ours, at, step), run(theirs, at, step)]);
				const show = step.args[0] === "member" ? (text: string) => sortLines(normaliseOutput(text)) : normaliseOutput;
				agreement.judge(step.args, () =>
					expect({ status: mine.status, stdout: show(mine.stdout), stderr: normaliseErrors(mine.stderr) }).toEqual({
						status: reference.status,
						stdout: show(reference.stdout),
						stderr: normaliseErrors(reference.stderr),
					}),
				);
			});
		}

		test("a list of no alarms has a header, as since etcd 3.5, and nothing else", async () => {
			const { stdout } = await etcdctl([ours.endpoints[1] as string], ["alarm", "list", "-w", "json"]);
			const answer = JSON.parse(stdout) as { header: { revision: number }; alarms?: unknown };
			expect(answer.header.revision).toBeGreaterThan(1);
			expect(answer.alarms).toBeUndefined();
		});

		test("endpoints that are named as URLs, by flag and by the member list", async () => {
			const urls = ours.members.map((member) => member.clientUrl);
			for (const command of [
				["get", "foo"],
				["endpoint", "status", "--cluster"],
				["endpoint", "health", "--cluster"],
				["endpoint", "hashkv", "--cluster"],
			]) {
				const { status, stderr } = await etcdctl(urls, command);
				expect({ command, status }, stderr).toEqual({ command, status: 0 });
			}
		});

		test("endpoint status has etcd's fields and one leader, the same seen from all", async () => {
			const reference = await etcdctl(theirs.endpoints, ["endpoint", "status", "-w", "json"]);
			const etcd = JSON.parse(reference.stdout) as EndpointStatus[];
			// Asked one after another: in between a busy machine may elect.
			const mine = await eventually("one leader", async () => {
				const { stdout } = await etcdctl(ours.endpoints, ["endpoint", "status", "-w", "json"]);
				const rows = JSON.parse(stdout) as EndpointStatus[];
				expect(new Set(rows.map((row) => row.Status.leader)).size).toBe(1);
				expect(rows.filter((row) => row.Status.leader === row.Status.header.member_id)).toHaveLength(1);
				return rows;
			});
			expect(mine.map((row) => Object.keys(row.Status).sort())).toEqual(etcd.map((row) => Object.keys(row.Status).sort()));
			for (const row of mine) {
				expect(row.Status.dbSize).toBeGreaterThan(0);
				expect(row.Status.raftIndex).toBeGreaterThanOrEqual(row.Status.raftAppliedIndex);
			}
		});

		test("the health of all members, by flag and by member list", async () => {
			for (const args of [
				["endpoint", "health"],
				["endpoint", "health", "--cluster"],
			]) {
				const result = await etcdctl(ours.endpoints, args);
				expect(result.stdout + result.stderr).toMatch(/(.*is healthy: successfully committed proposal.*\n){3}/);
				expect(result.status).toBe(0);
			}
		});

		test("every member has the same hash as the others, and as etcd with the same history", async () => {
			// Ids of leases are drawn: what was attached to them, and is gone, has to go from the history, too.
			for (const cluster of [ours, theirs]) {
				const { stdout } = await etcdctl(cluster.endpoints, ["get", "last", "-w", "json"]);
				const { header } = JSON.parse(stdout) as { header: { revision: number } };
				expect(await etcdctl(cluster.endpoints, ["compaction", String(header.revision), "--physical"])).toMatchObject({ status: 0 });
			}
			await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
			const hashes = await Promise.all([ours, theirs].map((cluster) => etcdctl(cluster.endpoints, ["endpoint", "hashkv", "-w", "json"])));
			const all = hashes.flatMap((result) => (JSON.parse(result.stdout) as { HashKV: { hash: number } }[]).map((row) => row.HashKV.hash));
			expect(all).toHaveLength(6);
			expect(new Set(all).size).toBe(1);
		});
	},
);

interface EndpointStatus {
	readonly Status: {
		readonly header: { readonly member_id: number };
		readonly leader: number;
		readonly dbSize: number;
		readonly raftIndex: number;
		readonly raftAppliedIndex: number;
	};
}

/** Client-side log lines carry times and request ids. */
function normaliseErrors(text: string): string {
	return normaliseOutput(text)
		.split("\n")
		.filter((line) => !line.startsWith('{"level":"warn"'))
		.join("\n");
}
