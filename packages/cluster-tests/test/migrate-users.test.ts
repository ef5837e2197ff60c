/** `flotilla migrate` with users, logins and certificates, from a real etcd into flotilla and back. Real processes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Certificates } from "../src/process/certificates.ts";
import { ETCD_PROGRAM, FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { Migration } from "../src/process/migration.ts";
import { etcdctl, haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";
import { CleanUp, good, MINUTE, type Program, startCluster, WAYS } from "./migrate-ways.ts";

const ROOT = ["--user", "root:rootpw"];
const missing = ["etcd", "etcdctl", "openssl"].filter((name) => !haveProgram(name));

describe.skipIf(missing.length > 0)(`flotilla migrate and users${missing.length > 0 ? ` (without ${missing.join(", ")})` : ""}`, () => {
	const cleanUp = new CleanUp();
	let folder = "";
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-migrate-"));
	});
	afterEach(async () => {
		await cleanUp.now();
		await rm(folder, { recursive: true, force: true });
	});

	async function start(program: Program): Promise<string> {
		const cluster = await startCluster(cleanUp, program, 1);
		return cluster.endpoints[0] as string;
	}

	async function addRoot(at: string, ...flags: string[]): Promise<void> {
		await good(etcdctl(at, [...flags, "user", "add", "root:rootpw"]));
		await good(etcdctl(at, [...flags, "role", "add", "root"]));
		await good(etcdctl(at, [...flags, "user", "grant-role", "root", "root"]));
		await good(etcdctl(at, [...flags, "auth", "enable"]));
	}

	async function file(name: string, text: string): Promise<string> {
		await writeFile(join(folder, name), text);
		return join(folder, name);
	}

	const migrate = (args: readonly string[], environment: Record<string, string> = {}): Promise<ToolResult> =>
		runTool(FLOTILLA_PROGRAM, ["migrate", ...args], { environment, timeoutMs: 2 * MINUTE });

	test.each(WAYS)(
		"what becomes of users and roles of %s after the copy is seen at the switch into %s",
		async (from, to) => {
			const [at, into] = await Promise.all([start(from), start(to)]);
			for (const args of [
				"user add ann:pw",
				"user add bob:pw",
				"role add r",
				"role add s",
				"role grant-permission r read a",
				"role grant-permission r read b c",
				"user grant-role ann r",
				"user grant-role bob s",
			]) {
				await good(etcdctl(at, args.split(" ")));
			}
			const run = new Migration(["--from", at, "--to", into]);
			cleanUp.later(() => run.end());
			await run.says("in step");
			for (const args of [
				"user delete bob",
				"role delete s",
				"user add eve:pw",
				"role add t",
				"role grant-permission t readwrite x --prefix=true",
				"user grant-role eve t",
				"role revoke-permission r a",
				"role grant-permission r write b c",
				"user revoke-role ann r",
				"user grant-role ann t",
			]) {
				await good(etcdctl(at, args.split(" ")));
			}
			expect([await run.pressEnter(), run.output]).toEqual([
				0,
				expect.stringMatching(/compared: 0 keys, 0 leases, 2 users, 2 roles: the same/),
			]);
			for (const args of ["user list", "role list", "role get r", "role get t", "user get ann", "user get eve"]) {
				expect([args, await good(etcdctl(into, args.split(" ")))]).toEqual([args, await good(etcdctl(at, args.split(" ")))]);
			}
			expect(run.output).toContain("set passwords anew (etcdctl user passwd): ann, eve");
		},
		8 * MINUTE,
	);

	test.each(WAYS)(
		"a user of %s who may only read moves the keys into %s; what he may not is told before anything is done",
		async (from, to) => {
			const [at, into] = await Promise.all([start(from), start(to)]);
			await good(etcdctl(at, ["put", "k", "v"]));
			for (const args of ["user add reader:pw", "role add all", "user grant-role reader all"]) await good(etcdctl(at, args.split(" ")));
			await good(etcdctl(at, ["role", "grant-permission", "all", "read", "", "--from-key=true"]));
			await good(etcdctl(at, ["user", "add", "narrow:pw"]));
			await addRoot(at);
			const sides = ["--once", "--from", at, "--to", into];
			const unnamed = await migrate(sides);
			expect([unnamed.status, unnamed.stderr]).toEqual([
				1,
				expect.stringContaining("user name is empty (logins are demanded there: --from-user)"),
			]);
			const narrow = await migrate([...sides, "--from-user", "narrow:pw", "--no-users"]);
			expect([narrow.status, narrow.stderr]).toEqual([
				1,
				expect.stringContaining("(the user of the source needs the right to read every key)"),
			]);
			const reader = await migrate([...sides, "--from-user", "reader"], { FLOTILLA_FROM_PASSWORD: "pw" });
			expect([reader.status, reader.stderr]).toEqual([
				1,
				expect.stringContaining("of the role root to read users and roles, or --no-users)"),
			]);
			const moved = await migrate([...sides, "--from-user", "reader", "--no-users"], { FLOTILLA_FROM_PASSWORD: "pw" });
			expect([moved.status, moved.stdout]).toEqual([0, expect.stringContaining("compared: 1 keys, 0 leases, 0 users, 0 roles: the same")]);
		},
		8 * MINUTE,
	);

	test.each(WAYS)(
		"%s with logins into a %s that demands logins already: root stays who it is there",
		async (from, to) => {
			const [at, into] = await Promise.all([start(from), start(to)]);
			await good(etcdctl(at, ["put", "k", "v"]));
			await good(etcdctl(at, ["user", "add", "ann:pw"]));
			await Promise.all([addRoot(at), addRoot(into)]);
			const own = await file("own", "rootpw\n");
			const passwords = await file("passwords", "ann:annpw\nroot:other\n");
			const args = ["--once", "--from", at, "--to", into, "--passwords", passwords];
			const wrong = await migrate([...args, "--from-user", "root:wrong", "--to-user", "root", "--to-password-file", own]);
			expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining("authentication failed, invalid user ID or password")]);
			const moved = await migrate([...args, "--from-user", "root", "--from-password-file", own, "--to-user", "root"], {
				FLOTILLA_TO_PASSWORD: "rootpw",
			});
			expect([moved.status, moved.stdout, moved.stderr]).toEqual([
				0,
				expect.stringMatching(/compared: 1 keys, 0 leases, 2 users, 1 roles: the same/),
				"",
			]);
			expect(moved.stdout).not.toContain("set passwords anew");
			expect(await good(etcdctl(into, [...ROOT, "get", "k", "--print-value-only"]))).toBe("v\n");
			expect((await etcdctl(into, ["--user", "ann:annpw", "get", "k"])).stderr).toContain("permission denied");
		},
		8 * MINUTE,
	);

	test.each(WAYS)(
		"%s asks for a certificate and a login, and %s is told so at the end",
		async (from, to) => {
			const made = new Certificates(folder);
			await made.authority("ca");
			await made.issue("server", "ca");
			await made.issue("root", "ca");
			const [port, peerPort] = await freePorts(2);
			const url = `https://127.0.0.1:${port}`;
			const peer = `http://127.0.0.1:${peerPort}`;
			const member = new MemberProcess({
				name: "m1",
				program: from === "etcd" ? ETCD_PROGRAM : FLOTILLA_PROGRAM,
				environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
				logFile: join(folder, "m1.log"),
				readyText: "serving client traffic securely",
				args: [
					...["--name", "m1", "--data-dir", join(folder, "m1"), "--initial-cluster", `m1=${peer}`, "--logger", "zap", "--bcrypt-cost", "4"],
					...[
						"--listen-client-urls",
						url,
						"--advertise-client-urls",
						url,
						"--listen-peer-urls",
						peer,
						"--initial-advertise-peer-urls",
						peer,
					],
					...["--cert-file", made.path("server.pem"), "--key-file", made.path("server.key")],
					...["--trusted-ca-file", made.path("ca.pem"), "--client-cert-auth"],
				],
			});
			cleanUp.later(() => member.dispose());
			await member.start();
			const own = ["--cacert", made.path("ca.pem"), "--cert", made.path("root.pem"), "--key", made.path("root.key")];
			await good(etcdctl(url, [...own, "put", "k", "v"]));
			const into = await start(to);
			const sides = ["--from", url, ...own.map((word) => word.replace(/^--/, "--from-")), "--to", into];
			const stranger = await migrate(["--once", "--from", url, "--from-cacert", made.path("ca.pem"), "--to", into]);
			expect([stranger.status, stranger.stderr]).toEqual([1, expect.stringContaining("the source, asked for Range")]);
			await addRoot(url, ...own);
			// Root by the name in its certificate.
			const moved = await migrate(["--once", ...sides, "--passwords", await file("passwords", "root:rootpw\n")]);
			expect([moved.stderr, moved.status, moved.stdout]).toEqual([
				"",
				0,
				expect.stringContaining("the target demands logins now, as the source does"),
			]);
			expect(await good(etcdctl(into, [...ROOT, "get", "k", "--print-value-only"]))).toBe("v\n");
		},
		8 * MINUTE,
	);
});
