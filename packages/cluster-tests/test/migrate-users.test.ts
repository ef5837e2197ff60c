/** `flotilla migrate` with users, logins and certificates, from a real etcd into flotilla and back. Real processes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { describe, expect, test } from "vitest";
import { Certificates } from "../src/process/certificates.ts";
import { ETCD_PROGRAM, FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { etcdctl, haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";
import { good, MINUTE, type Program, Scene, WAYS } from "./migrate-ways.ts";

const ROOT = ["--user", "root:rootpw"];
const missing = ["etcd", "etcdctl", "openssl"].filter((name) => !haveProgram(name));

describe.skipIf(missing.length > 0)(
	`flotilla migrate and users${missing.length > 0 ? ` (without ${missing.join(", ")})` : ""}`,
	{ concurrent: true },
	() => {
		async function start(scene: Scene, program: Program): Promise<string> {
			const cluster = await scene.start(program, 1);
			return cluster.endpoints[0] as string;
		}

		async function addRoot(at: string, ...flags: string[]): Promise<void> {
			await good(etcdctl(at, [...flags, "user", "add", "root:rootpw"]));
			await good(etcdctl(at, [...flags, "role", "add", "root"]));
			await good(etcdctl(at, [...flags, "user", "grant-role", "root", "root"]));
			await good(etcdctl(at, [...flags, "auth", "enable"]));
		}

		async function file(scene: Scene, name: string, text: string): Promise<string> {
			const path = join(await scene.folder(), name);
			await writeFile(path, text);
			return path;
		}

		const migrate = (args: readonly string[], environment: Record<string, string> = {}): Promise<ToolResult> =>
			runTool(FLOTILLA_PROGRAM, ["migrate", ...args], { environment, timeoutMs: 2 * MINUTE });

		test.for(WAYS)("what becomes of users and roles of %s after the copy is seen at the switch into %s", async ([from, to], context) => {
			const scene = new Scene(context);
			const [at, into] = await Promise.all([start(scene, from), start(scene, to)]);
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
			const run = scene.migration(["--from", at, "--to", into]);
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
		});

		test.for(WAYS)(
			"a user of %s who may only read moves the keys into %s; what he may not is told before anything is done",
			async ([from, to], context) => {
				const scene = new Scene(context);
				const [at, into] = await Promise.all([start(scene, from), start(scene, to)]);
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
				expect([moved.status, moved.stdout]).toEqual([
					0,
					expect.stringContaining("compared: 1 keys, 0 leases, 0 users, 0 roles: the same"),
				]);
			},
		);

		test.for(WAYS)("%s with logins into a %s that demands logins already: root stays who it is there", async ([from, to], context) => {
			const scene = new Scene(context);
			const [at, into] = await Promise.all([start(scene, from), start(scene, to)]);
			await good(etcdctl(at, ["put", "k", "v"]));
			await good(etcdctl(at, ["user", "add", "ann:pw"]));
			await Promise.all([addRoot(at), addRoot(into)]);
			const own = await file(scene, "own", "rootpw\n");
			const passwords = await file(scene, "passwords", "ann:annpw\nroot:other\n");
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
		});

		test.for(WAYS)("%s asks for a certificate and a login, and %s is told so at the end", async ([from, to], context) => {
			const scene = new Scene(context);
			const folder = await scene.folder();
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
			scene.later(() => member.dispose());
			await member.start();
			const own = ["--cacert", made.path("ca.pem"), "--cert", made.path("root.pem"), "--key", made.path("root.key")];
			await good(etcdctl(url, [...own, "put", "k", "v"]));
			const into = await start(scene, to);
			const sides = ["--from", url, ...own.map((word) => word.replace(/^--/, "--from-")), "--to", into];
			const stranger = await migrate(["--once", "--from", url, "--from-cacert", made.path("ca.pem"), "--to", into]);
			expect([stranger.status, stranger.stderr]).toEqual([1, expect.stringContaining("the source, asked for Range")]);
			await addRoot(url, ...own);
			// Root by the name in its certificate.
			const moved = await migrate(["--once", ...sides, "--passwords", await file(scene, "passwords", "root:rootpw\n")]);
			expect([moved.stderr, moved.status, moved.stdout]).toEqual([
				"",
				0,
				expect.stringContaining("the target demands logins now, as the source does"),
			]);
			expect(await good(etcdctl(into, [...ROOT, "get", "k", "--print-value-only"]))).toBe("v\n");
		});
	},
);
