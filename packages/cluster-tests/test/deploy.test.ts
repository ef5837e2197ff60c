/** The files of deploy/: read, checked against the product's own flags, and started as real processes with the flags they name. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, readCommandLine, readConfigFile } from "@flotilla/server/internal";
import { afterEach, describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { KvClient } from "../src/client/kv-client.ts";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";

import { haveProgram, runTool } from "../src/process/tools.ts";

const DEPLOY = join(import.meta.dirname, "../../../deploy");
const read = (name: string): Promise<string> => readFile(join(DEPLOY, name), "utf8");

interface Pod {
	readonly terminationGracePeriodSeconds: number;
	readonly containers: ReadonlyArray<{
		readonly args: readonly string[];
		readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>;
		readonly livenessProbe: Probe;
		readonly readinessProbe: Probe;
		readonly startupProbe: Probe;
		readonly volumeMounts: ReadonlyArray<{ readonly name: string; readonly mountPath: string }>;
	}>;
}
interface Probe {
	readonly httpGet: { readonly path: string; readonly port: string };
}
interface Resource {
	readonly kind: string;
	readonly metadata: { readonly name: string };
	readonly spec: {
		readonly replicas: number;
		readonly serviceName: string;
		readonly clusterIP?: string;
		readonly selector: Readonly<Record<string, unknown>>;
		readonly ports: ReadonlyArray<{ readonly port: number }>;
		readonly template: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }; readonly spec: Pod };
		readonly volumeClaimTemplates: ReadonlyArray<{ readonly metadata: { readonly name: string } }>;
	};
}

async function resources(): Promise<readonly Resource[]> {
	return parseAllDocuments(await read("kubernetes/flotilla.yaml")).map((document) => {
		expect(document.errors).toEqual([]);
		return document.toJS() as Resource;
	});
}

async function resource(kind: string, name: string): Promise<Resource> {
	const found = (await resources()).find((one) => one.kind === kind && one.metadata.name === name);
	if (found === undefined) throw new Error(`no ${kind} ${name}`);
	return found;
}

/** Arguments of each member. */
const MEMBERS: Readonly<Record<string, () => Promise<ReadonlyArray<readonly string[]>>>> = {
	compose: async () => {
		const { services } = parse(await read("compose/compose.yaml"), { merge: true }) as { services: Record<string, { command: string[] }> };
		return Object.values(services).map(({ command }) => command);
	},
	kubernetes: async () => {
		const { spec } = await resource("StatefulSet", "flotilla");
		const args = spec.template.spec.containers[0]?.args ?? [];
		return Array.from({ length: spec.replicas }, (_, at) => args.map((arg) => arg.replaceAll("$(POD_NAME)", `flotilla-${at}`)));
	},
};

const settings = { readSettings: () => Promise.reject(new Error("no file is named")) };

describe("files of deploy/", () => {
	const processes: MemberProcess[] = [];
	let folder = "";
	afterEach(async () => {
		await Promise.all(processes.splice(0).map((process) => process.dispose()));
		if (folder !== "") await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	});

	test.each(Object.keys(MEMBERS))("%s: every flag is known, used, and fits the others", async (name) => {
		const members = await (MEMBERS[name] as (typeof MEMBERS)["compose"])();
		expect(members).toHaveLength(3);
		for (const args of members) {
			const outcome = await readCommandLine(args, {}, settings);
			if (outcome.kind !== "run") throw new Error(JSON.stringify(outcome));
			expect(outcome.notes.filter(({ level }) => level !== "info")).toEqual([]);
			// Whoever it says it is, the others know it by the same address.
			expect(outcome.bootstrap.initialCluster).toContain(`${outcome.options.name}=${outcome.bootstrap.advertisedPeerUrls[0]}`);
		}
	});

	test.each(Object.keys(MEMBERS))("%s: three processes with these flags are a cluster", async (name) => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-deploy-"));
		const members = await (MEMBERS[name] as (typeof MEMBERS)["compose"])();
		const ports = await freePorts(6);
		const hosts = members.map((args) => /advertise-client-urls=http:\/\/([^:]+):/.exec(args.join(" "))?.[1] ?? "");
		const here = (text: string, self: number): string =>
			hosts
				.reduce(
					(rest, host, at) =>
						rest.replaceAll(`//${host}:2379`, `//127.0.0.1:${ports[at]}`).replaceAll(`//${host}:2380`, `//127.0.0.1:${ports[3 + at]}`),
					text,
				)
				.replace("//0.0.0.0:2379", `//127.0.0.1:${ports[self]}`)
				.replace("//0.0.0.0:2380", `//127.0.0.1:${ports[3 + self]}`)
				.replace("--data-dir=", `--data-dir=${folder}/${self}`);
		processes.push(
			...members.map(
				(args, at) =>
					new MemberProcess({
						name: `${name} ${at}`,
						program: FLOTILLA_PROGRAM,
						environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
						logFile: join(folder, `${at}.log`),
						readyText: "ready to serve client requests",
						args: args.map((arg) => here(arg, at)),
					}),
			),
		);
		await Promise.all(processes.map((process) => process.start()));
		const client = new KvClient(`127.0.0.1:${ports[0]}`);
		await client.put("a", "b");
		expect((await client.members()).members).toHaveLength(3);
		client.close();
		const probes = (await resource("StatefulSet", "flotilla")).spec.template.spec.containers[0];
		for (const probe of [probes?.livenessProbe, probes?.readinessProbe, probes?.startupProbe]) {
			expect((await fetch(`http://127.0.0.1:${ports[2]}${probe?.httpGet.path}`)).status).toBe(200);
		}
	});

	test("kubernetes: services, labels, ports and volumes belong together", async () => {
		const set = await resource("StatefulSet", "flotilla");
		const peers = await resource("Service", set.spec.serviceName);
		const clients = await resource("Service", "flotilla");
		expect(peers.spec.clusterIP).toBe("None");
		const { labels } = set.spec.template.metadata;
		expect([peers.spec.selector, clients.spec.selector, set.spec.selector.matchLabels]).toEqual([labels, labels, labels]);
		const [container] = set.spec.template.spec.containers;
		const open = container?.ports.map(({ containerPort }) => containerPort) ?? [];
		for (const { port } of [...peers.spec.ports, ...clients.spec.ports]) expect(open).toContain(port);
		for (const probe of [container?.livenessProbe, container?.readinessProbe, container?.startupProbe]) {
			expect(container?.ports.map(({ name }) => name)).toContain(probe?.httpGet.port);
		}
		expect(container?.volumeMounts.map(({ name }) => name)).toEqual(set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name));
		const dataDir = container?.args.find((arg) => arg.startsWith("--data-dir="))?.slice("--data-dir=".length);
		expect(dataDir?.startsWith(`${container?.volumeMounts[0]?.mountPath}/`)).toBe(true);
		expect((await resources()).map(({ kind }) => kind)).toEqual(["Service", "Service", "PodDisruptionBudget", "StatefulSet"]);
	});

	// There is no cluster here: these are Kubernetes' own types, in its own client, which drops what it does not know and refuses what is of another type.
	test.skipIf(!haveProgram("kubectl"))("kubernetes: kubectl reads every field of a service and of the set as what it is", async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-kubectl-"));
		const path = join(folder, "one.yaml");
		const readBack = async (document: unknown): Promise<unknown> => {
			await writeFile(path, stringify(document));
			// It prints what it has changed, so one thing is changed.
			const { kind } = document as Resource;
			const change = kind === "Service" ? ["selector", "app=other"] : ["image", "flotilla=flotilla:other"];
			const { status, stdout, stderr } = await runTool("kubectl", ["set", ...change, "--local", "-f", path, "-o", "json"]);
			expect(status, stderr).toBe(0);
			return JSON.parse(stdout.replace("flotilla:other", "flotilla:local").replace(/("selector": \{\s+"app": )"other"/, '$1"flotilla"'));
		};
		const typed = (await resources()).filter(({ kind }) => kind !== "PodDisruptionBudget");
		expect(typed).toHaveLength(3);
		for (const document of typed) expect(await readBack(document)).toMatchObject(document as object);
		// So a field of a wrong name would have been found, and one of a wrong type.
		const set = typed.at(-1) as Resource;
		const misspelt = { ...set, spec: { ...set.spec, replicaz: 3 } };
		expect(await readBack(misspelt)).not.toMatchObject(misspelt);
		await expect(readBack({ ...set, spec: { ...set.spec, replicas: "three" } })).rejects.toThrow("cannot unmarshal string");
	});

	// It changes nothing of a budget by itself, but makes one out of words.
	test.skipIf(!haveProgram("kubectl"))("kubernetes: the budget is the one that kubectl makes of the same words", async () => {
		const { metadata, ...budget } = (await resource("PodDisruptionBudget", "flotilla")) as Resource & Readonly<Record<string, unknown>>;
		const words = ["poddisruptionbudget", metadata.name, "--selector=app=flotilla", "--max-unavailable=1"];
		const { status, stdout, stderr } = await runTool("kubectl", ["create", ...words, "--dry-run=client", "-o", "json"]);
		expect([status, stderr]).toEqual([0, ""]);
		const made = JSON.parse(stdout) as typeof budget;
		expect({ apiVersion: made.apiVersion, kind: made.kind, spec: made.spec }).toEqual(budget);
		const { spec } = await resource("StatefulSet", "flotilla");
		expect(budget.spec.selector).toEqual({ matchLabels: spec.template.metadata.labels });
	});

	test("systemd: the unit names the configuration file, whose every key is a flag that is used", async () => {
		const unit = await read("systemd/flotilla.service");
		expect(unit).toMatch(/^ExecStart=\S+\/bin\/flotilla --config-file=\/etc\/flotilla\/flotilla\.yaml$/m);
		const text = await read("systemd/flotilla.yaml");
		const file = readConfigFile(text, parse);
		if (!file.ok) throw new Error(file.reason);
		expect(file.value.given.map(([row]) => row.name).sort()).toEqual(Object.keys(parse(text) as object).sort());
		const outcome = await readCommandLine(["--config-file=x"], {}, { readSettings: async () => file });
		if (outcome.kind !== "run") throw new Error(JSON.stringify(outcome));
		expect(outcome.notes.filter(({ level }) => level !== "info")).toEqual([]);
		expect(outcome.options.dataDir.startsWith(`/var/lib/${/^StateDirectory=(.*)$/m.exec(unit)?.[1]}/`)).toBe(true);
	});

	test.skipIf(!haveProgram("systemd-analyze"))("systemd-analyze finds nothing wrong with the unit", async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-unit-"));
		// It looks for the program and the user of the unit, which this machine does not have.
		const unit = (await read("systemd/flotilla.service")).replace("/opt/flotilla/bin/flotilla", FLOTILLA_PROGRAM);
		const path = join(folder, "flotilla.service");
		await writeFile(path, unit.replace(/^(User|Group)=flotilla\n/gm, ""));
		const { status, stderr, stdout } = await runTool("systemd-analyze", ["verify", "--man=no", path]);
		expect({ status, said: `${stdout}${stderr}`.split("\n").filter((line) => line.includes("flotilla.service")) }).toEqual({
			status: 0,
			said: [],
		});
	});

	test("who starts a member again, and after which end, is as the README tells", async () => {
		const { services } = parse(await read("compose/compose.yaml"), { merge: true }) as { services: Record<string, { restart: string }> };
		expect(Object.values(services).map(({ restart }) => restart)).toEqual(["on-failure:5", "on-failure:5", "on-failure:5"]);
		const unit = await read("systemd/flotilla.service");
		for (const line of ["Restart=on-failure", "RestartSec=2", "RestartPreventExitStatus=2 3"])
			expect(unit).toMatch(new RegExp(`^${line}$`, "m"));
		// Without it "for ever" ends at the start limit of systemd, or of whoever set another one for the machine.
		expect(unit.slice(0, unit.indexOf("[Service]"))).toMatch(/^StartLimitIntervalSec=0$/m);
		// A StatefulSet knows no other policy.
		expect(await read("kubernetes/flotilla.yaml")).not.toContain("restartPolicy");
		const readme = await read("README.md");
		for (const words of ["five times in all", "every 2 s, for ever", "`RestartPreventExitStatus`", "`CrashLoopBackOff`"])
			expect(readme).toContain(words);
	});

	// The plug-in of Docker, or Debian's program of before.
	const compose: readonly [string, ...string[]] = haveProgram("docker-compose") ? ["docker-compose"] : ["docker", "compose"];
	test.skipIf(!haveProgram(compose[0]))("docker compose takes the file", async (context) => {
		const [program, ...first] = compose;
		const { status, stdout, stderr } = await runTool(program, [...first, "-f", join(DEPLOY, "compose/compose.yaml"), "config", "--quiet"]);
		context.skip(/not a docker command|unknown (shorthand )?flag|unknown command/.test(stderr), "docker comes without compose here");
		expect([status, stdout, stderr]).toEqual([0, "", ""]);
	});
});
