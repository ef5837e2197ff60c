/** `npm start`'s program as a process: on a pipe, on a terminal, killed, and started again. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FLOTILLA, Program } from "./program.ts";

let folder: string;
let dataDir: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-local-"));
	dataDir = join(folder, "data");
});
afterEach(async () => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const ARGS = ["start-local", "--client-ports=0,0,0", "--peer-ports=0,0,0"];
const LEADER = /^ {2}(m\d) +[0-9a-f]+ +\S+ +leader +\d+ +\d+/m;

function start(environment: Readonly<Record<string, string>> = {}): Program {
	return new Program(FLOTILLA, [...ARGS, `--data-dir=${dataDir}`], { environment });
}

test("on a pipe: plain lines, ready, kill the leader, restart it, quit; then the data goes on", async () => {
	{
		await using cluster = start({ ETCD_NAME: "not for these members" });
		await cluster.said(/Ready after/);
		const [, leader] = await cluster.said(LEADER);
		expect(cluster.stdout).toContain(`A new cluster; its data and logs are in ${dataDir}`);
		expect(cluster.stdout).toMatch(/export ETCDCTL_ENDPOINTS=127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\n {2}etcdctl put /);
		cluster.type("k");
		await cluster.said(new RegExp(`Killed ${leader}, the leader`));
		const [, next] = await cluster.said(/(m\d) leads now, in term \d+, \d+ ms after the kill/);
		expect(next).not.toBe(leader);
		await cluster.said(new RegExp(`${leader}: down`));
		cluster.type("r");
		await cluster.said(new RegExp(`${leader}: follower, term`));
		cluster.type("r");
		await cluster.said(/No member is down/);
		cluster.type("q");
		const { end, stdout } = await cluster.ended;
		expect(end).toBe(0);
		expect(stdout).toContain("Stopped. The data stays in");
		expect(stdout).not.toContain("\u001b");
	}
	const before = JSON.parse(await readFile(join(dataDir, "cluster.json"), "utf8"));
	await using again = start();
	await again.said(/Going on with the cluster in/);
	await again.said(LEADER);
	expect(JSON.parse(await readFile(join(dataDir, "cluster.json"), "utf8"))).toEqual(before);
	again.signal("SIGTERM");
	expect((await again.ended).end).toBe(0);
});

test("a member that dies by itself is told, and can be restarted", async () => {
	await using cluster = start();
	await cluster.said(LEADER);
	const [m2] = await membersOf(cluster.pid, "m2");
	process.kill(m2 as number, "SIGKILL");
	await cluster.said(/m2 ended by itself \(SIGKILL.*its log: .*m2\.log/);
	cluster.type("r");
	await cluster.said(/m2: follower, term/);
});

test("without a majority it is said what is missing, and a restart mends it", async () => {
	await using cluster = start();
	await cluster.said(LEADER);
	cluster.type("k");
	await cluster.said(/leads now, in term/);
	cluster.type("k");
	await cluster.said(/Only 1 of 3 members is up: no leader can be elected/);
	await cluster.said(/m\d: no leader, term/);
	cluster.type("k");
	await cluster.said(/There is no leader to kill now/);
	cluster.type("r");
	await cluster.said(/Restarting .*\n.*Restarting [\s\S]*: leader, term/);
});

test("a stop while the members still start is no failure", async () => {
	await using cluster = start();
	await cluster.said(/A new cluster/);
	cluster.signal("SIGTERM");
	const { end, stdout } = await cluster.ended;
	expect(end).toBe(0);
	expect(stdout).toContain("Stopped.");
});

test("members never outlive the program that started them", async () => {
	await using cluster = start();
	await cluster.said(LEADER);
	const members = await membersOf(cluster.pid);
	expect(members).toHaveLength(3);
	cluster.signal("SIGKILL");
	await cluster.ended;
	await Promise.all(members.map(untilGone));
});

test("an npm that is killed takes the cluster with it", async () => {
	// What npm does: a process in the middle that passes nothing on, and a variable that says so.
	const middle = ["-c", `"$0" "$@" & wait`, FLOTILLA, ...ARGS, `--data-dir=${dataDir}`];
	await using outer = new Program("/bin/sh", ["-c", `npm_lifecycle_event=start /bin/sh "$@" <&0 & wait`, "sh", ...middle]);
	await outer.said(LEADER);
	outer.signal("SIGKILL");
	// Its output is open as long as anybody below it lives.
	expect((await outer.ended).stdout).toContain("Stopped. The data stays");
});

test("a port that is taken later refuses the start and names it; nothing is left running", async () => {
	{
		await using cluster = start();
		await cluster.said(LEADER);
		cluster.type("q");
		await cluster.ended;
	}
	const { members } = JSON.parse(await readFile(join(dataDir, "cluster.json"), "utf8")) as { members: { clientPort: number }[] };
	const port = members[1]?.clientPort as number;
	const server = createServer();
	await new Promise<void>((listening) => server.listen(port, "127.0.0.1", () => listening()));
	try {
		await using refused = start();
		const { end, stderr, stdout } = await refused.ended;
		expect({ end, stdout }).toEqual({ end: 1, stdout: "" });
		expect(stderr).toContain(`port ${port} of m2 is taken`);
	} finally {
		server.close();
	}
});

test("a folder of something else, and one of a later version, are refused and left alone", async () => {
	await mkdir(dataDir);
	await writeFile(join(dataDir, "letters.txt"), "dear");
	await using foreign = start();
	expect(await foreign.ended).toMatchObject({ end: 1, stderr: expect.stringContaining('holds "letters.txt" but no cluster.json') });
	expect(await readdir(dataDir)).toEqual(["letters.txt"]);
	await writeFile(join(dataDir, "cluster.json"), '{"format":7}');
	await using later = start();
	expect(await later.ended).toMatchObject({ end: 1, stderr: expect.stringContaining("has format 7, this version reads format 1") });
});

test("a member that cannot start ends the start: its last words are shown, the others are stopped", async () => {
	{
		await using cluster = start();
		await cluster.said(LEADER);
		cluster.type("q");
		await cluster.ended;
	}
	await writeFile(join(dataDir, "m3", "member", "format"), "gone");
	await using broken = start();
	const { end, stdout } = await broken.ended;
	expect(end).toBe(1);
	expect(stdout.slice(-3_000)).toMatch(/m3 did not start: cannot start: Cannot start \(identityDamaged\): /);
	expect(stdout).toContain("Stopped.");
});

const UP_SIX_LINES = "\u001b[6A";

/** Runs a shell command on a terminal of its own; what is typed reaches it as keys. util-linux's `script` makes the terminal. */
function onTerminal(command: string): Program {
	return new Program("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
		environment: { SHELL: "/bin/sh" },
	});
}

test("on a terminal: the table is redrawn in place, k kills, Ctrl-C stops cleanly and leaves no mode behind", async () => {
	const program = [FLOTILLA, ...ARGS, `--data-dir=${dataDir}`].join(" ");
	await using cluster = onTerminal(
		`before=$(stty -g); ${program}; status=$?; test "$before" = "$(stty -g)" && echo "as before, status $status"`,
	);
	await cluster.said(/starting \.\.\. \d\.\d s/);
	await cluster.said(/k kills the leader {3}r restarts dead members {3}q stops/);
	await cluster.said(LEADER);
	expect(cluster.stdout).toContain(UP_SIX_LINES);
	cluster.type("k");
	await cluster.said(/leads now, in term \d+, \d+ ms after the kill/);
	await cluster.said(/ +down +- +-/);
	cluster.type("\u0003");
	const { end, stdout } = await cluster.ended;
	expect(end).toBe(0);
	expect(stdout).toMatch(/Stopping \.\.\.[\s\S]*Stopped\. The data stays[\s\S]*as before, status 0/);
});

test("in the background of a terminal it keeps off the keyboard and prints plain lines", async () => {
	// Job control: the shell gives the job a group of its own and keeps the terminal for itself.
	const program = [FLOTILLA, ...ARGS, `--data-dir=${dataDir}`].join(" ");
	await using shell = onTerminal(`set -m; ${program} & read key; kill -TERM $!; wait $!; echo "status $?"`);
	await shell.said(LEADER);
	expect(shell.stdout).not.toContain(UP_SIX_LINES);
	shell.type("x\n");
	await shell.said(/status 0/);
});

/** Process ids of the members below a program, by what Linux tells. */
async function membersOf(parent: number, name = ""): Promise<number[]> {
	const found: number[] = [];
	for (const entry of await readdir("/proc")) {
		if (!/^\d+$/.test(entry)) continue;
		const [stat, command] = await Promise.all(
			["stat", "cmdline"].map((file) => readFile(`/proc/${entry}/${file}`, "latin1").catch(() => "")),
		);
		const parentOf = Number(stat?.split(") ").at(-1)?.split(" ")[1]);
		if (parentOf === parent && command?.includes(`--name=${name}`)) found.push(Number(entry));
	}
	return found;
}

async function untilGone(pid: number): Promise<void> {
	const deadline = performance.now() + 100_000;
	while (performance.now() < deadline) {
		try {
			process.kill(pid, 0);
		} catch {
			return;
		}
		const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
		if (stat.includes(") Z ")) return;
		await new Promise((next) => setTimeout(next, 50));
	}
	throw new Error(`process ${pid} is still there`);
}
