/**
 * Users, roles and permissions by etcdctl, against flotilla and against a real etcd side by side: what is printed must be equal to
 * the letter but for ids, addresses, terms and times. The steps of one run build on each other.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agreement } from "../src/compat/agreement.ts";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { etcdctl, haveProgram } from "../src/process/tools.ts";

const agreement = new Agreement();
const haveTools = haveProgram("etcdctl") && haveProgram("etcd");

/** A command line, and what it reads from standard input. */
const STEPS: ReadonlyArray<readonly [line: string, input?: string]> = [
	// Without authentication.
	["role list"],
	["user list"],
	["auth enable"],
	["role add r1"],
	["role add r1"],
	["role add r2 -w json"],
	["role list"],
	["role list -w json"],
	["role get r1"],
	["role get none"],
	["role grant-permission r1 readwrite a c"],
	["role grant-permission r1 read c e"],
	["role grant-permission r1 read pre --prefix"],
	["role grant-permission r1 write one"],
	["role grant-permission r1 read one"],
	["role grant-permission r2 write x --from-key"],
	["role grant-permission r2 readwrite all --from-key -w json"],
	["role grant-permission none read k"],
	["role grant-permission r1 nonsense k"],
	["role get r1"],
	["role get r1 -w json"],
	["role get r2"],
	["role revoke-permission r1 one"],
	["role revoke-permission r1 one"],
	["role revoke-permission none one"],
	["role revoke-permission r1 a b"],
	["role revoke-permission r2 all --from-key"],
	["role revoke-permission r1 pre --prefix -w json"],
	["role grant-permission r1 read pre --prefix"],
	["role get r1 -w fields"],
	["user add ann:annpw"],
	["user add ann:other"],
	["user add bob --interactive=false", "bobpw\n"],
	["user add cert --no-password"],
	["user add empty --new-user-password="],
	["user add json:pw -w json"],
	["user list"],
	["user list -w json"],
	["user get ann"],
	["user get nobody"],
	["user grant-role ann r1"],
	["user grant-role ann r1"],
	["user grant-role ann none"],
	["user grant-role nobody r1"],
	["user grant-role ann r2 -w json"],
	["user get ann"],
	["user get ann --detail"],
	["user get ann -w json"],
	["user revoke-role ann r2"],
	["user revoke-role ann r2"],
	["user revoke-role nobody r2"],
	["user passwd bob --interactive=false", "bobpw2\n"],
	["user passwd nobody --interactive=false", "x\n"],
	["user delete json"],
	["user delete json"],
	["put before auth"],
	["get before --user ann:whatever"],
	["user add root:rootpw"],
	["auth enable"],
	// With it.
	["auth enable"],
	["get before"],
	["put a1 v"],
	["get before --user root:rootpw"],
	["get before --user root:wrong"],
	["get before --user nobody:x"],
	["get before --user cert:x"],
	["get before --user bob:bobpw"],
	["get before --user bob:bobpw2"],
	["put a1 by-ann --user ann:annpw"],
	["put a1 again --prev-kv --user ann:annpw"],
	["put c1 by-ann --user ann:annpw"],
	["get a d --user ann:annpw"],
	["get a e --user ann:annpw"],
	["get a f --user ann:annpw"],
	["get pre --prefix --user ann:annpw"],
	["get pre --from-key --user ann:annpw"],
	["get '' --prefix --user ann:annpw"],
	["get '' --prefix --user root:rootpw"],
	["get a1 -w json --user ann:annpw"],
	["put c1 v --user root:rootpw"],
	["del c1 --user ann:annpw"],
	["del a b --prev-kv --user ann:annpw"],
	["del a --prefix --user ann:annpw"],
	["del a d --user ann:annpw"],
	["txn --user ann:annpw", 'mod("a1") = "0"\n\nput a1 t\nget c1\n\nput b1 t\n\n'],
	["txn --user ann:annpw", 'mod("zzz") = "0"\n\nput a1 t\n\n\n'],
	["txn --user ann:annpw", "\nput a1 t\n\nput c1 never-runs\n\n"],
	["txn", "\n\n\n"],
	["user list"],
	["user list --user ann:annpw"],
	["user list --user root:rootpw"],
	["user get ann --user ann:annpw"],
	["user get root --user ann:annpw"],
	["user get ann"],
	["role get r1 --user ann:annpw"],
	["role get r2 --user ann:annpw"],
	["role list --user ann:annpw"],
	["role get r2 --user root:rootpw -w json"],
	["role add r3 --user ann:annpw"],
	["user add x:y --user ann:annpw"],
	["auth disable --user ann:annpw"],
	["auth disable"],
	["user delete root --user root:rootpw"],
	["role delete root --user root:rootpw"],
	["user revoke-role root root --user root:rootpw"],
	["user grant-role bob r1 --user root:rootpw"],
	["put a2 by-bob --user bob:bobpw2"],
	["user passwd bob --interactive=false --user root:rootpw", "bobpw3\n"],
	["put a2 by-bob --user bob:bobpw2"],
	["put a2 by-bob --user bob:bobpw3"],
	["role delete r1 --user root:rootpw"],
	["role delete r1 --user root:rootpw"],
	["put a2 by-bob --user bob:bobpw3"],
	["user get bob --user root:rootpw"],
	["user delete bob --user root:rootpw"],
	["put a2 by-bob --user bob:bobpw3"],
	["watch a --user bob:bobpw3"],
	["user add root2:pw2 --user root:rootpw"],
	["user grant-role root2 root --user root:rootpw"],
	["user list --user root2:pw2"],
	["get '' --from-key --keys-only --user root2:pw2"],
	["compaction 3 --user root2:pw2"],
	["auth disable --user root2:pw2"],
	["auth disable"],
	["user list"],
	["get a2"],
	["user revoke-role root root"],
	["user delete root"],
	["auth enable"],
];

function splitWords(line: string): string[] {
	return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
}

describe.skipIf(!haveTools)("etcdctl with users and roles (needs Debian's etcd-client and etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;

	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start({ flags: STAYS }), ProcessCluster.start({ program: "etcd", flags: STAYS })]);
	});
	afterAll(async () => {
		console.log(agreement.lines("etcdctl with users and roles, flotilla beside etcd:").join("\n"));
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	// Each command goes through another member than the one before: any of them must do.
	for (const [at, [line, input]] of STEPS.entries()) {
		test(`${at}: etcdctl ${line}`, async () => {
			const options = input === undefined ? {} : { input };
			await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
			const [mine, reference] = await Promise.all(
				[ours, theirs].map((cluster) => etcdctl(cluster.endpoints[at % 3] as string, splitWords(line), options)),
			);
			agreement.judge(splitWords(line), () => expect(shown(mine as Ran)).toEqual(shown(reference as Ran)));
		});
	}

	// Administration without the right to it: etcd 3.4 has other words here than 3.6, whose level this is.
	test("hashes are for root, in the words of etcd 3.6", async () => {
		const [endpoint] = ours.endpoints as [string];
		for (const line of ["user add root:pw", "user grant-role root root", "user add ann2:pw", "auth enable"]) {
			expect(await etcdctl(endpoint, splitWords(line))).toMatchObject({ status: 0 });
		}
		const refused = await etcdctl(endpoint, splitWords("endpoint hashkv --user ann2:pw"));
		expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("Error: etcdserver: permission denied")]);
		for (const line of ["endpoint hashkv --user root:pw", "auth disable --user root:pw"]) {
			expect(await etcdctl(endpoint, splitWords(line))).toMatchObject({ status: 0 });
		}
	});
});

interface Ran {
	readonly status: number;
	readonly stdout: string;
	readonly stderr: string;
}

function shown({ status, stdout, stderr }: Ran): Ran {
	// The client's own log lines carry times and request ids.
	const errors = normaliseOutput(stderr)
		.split("\n")
		.filter((line) => !line.startsWith('{"level":"warn"'));
	return { status, stdout: normaliseOutput(stdout), stderr: errors.join("\n") };
}
