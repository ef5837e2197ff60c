/** /health, /livez, /readyz and /version, byte for byte (etcd API, chapter 11). */
import { AlarmType } from "@flotilla/replica";
import { beforeEach, describe, expect, test } from "vitest";
import { member, SELF, ServiceHouse } from "./scripted-member.ts";

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const TEXT = ["Content-Type", "text/plain; charset=utf-8"];
const NO_SNIFF = ["X-Content-Type-Options", "nosniff"];
const healthy = { status: 200, headers: [TEXT], body: '{"health":"true","reason":""}' };
const sick = (reason: string) => ({ status: 503, headers: [TEXT, NO_SNIFF], body: `{"health":"false","reason":"${reason}"}\n` });

test("/version", async () => {
	const version = { status: 200, headers: [["Content-Type", "application/json"]] };
	expect(await house.http("/version")).toEqual({
		...version,
		body: '{"etcdserver":"3.6.14","etcdcluster":"3.6.0","storage":"3.6.0"}',
	});
	house.member.clusterVersion = "";
	expect((await house.http("/version")).body).toBe('{"etcdserver":"3.6.14","etcdcluster":"not_decided","storage":"3.6.0"}');
});

describe("/health", () => {
	test("is true as a text", async () => {
		expect(await house.http("/health")).toEqual(healthy);
	});

	test("looks at alarms, the leader and a read, in this order", async () => {
		house.member.readFault = "timeout";
		expect(await house.http("/health")).toEqual(sick("RANGE ERROR:etcdserver: request timed out"));
		house.member.leader = 0n;
		expect(await house.http("/health")).toEqual(sick("RAFT NO LEADER"));
		expect(await house.http("/health", "serializable=true")).toEqual(healthy);
		house.member.alarms = [{ member: 1n, alarm: AlarmType.noSpace }];
		expect(await house.http("/health")).toEqual(sick("ALARM NOSPACE"));
		expect(await house.http("/health", "serializable=true")).toEqual(sick("ALARM NOSPACE"));
		expect(await house.http("/health", "exclude=NOSPACE&serializable=true")).toEqual(healthy);
		house.member.alarms = [...house.member.alarms, { member: 2n, alarm: AlarmType.corrupt }];
		expect(await house.http("/health", "exclude=NOSPACE&exclude=nonsense")).toEqual(sick("ALARM CORRUPT"));
		expect(await house.http("/health", "exclude=NOSPACE&exclude=CORRUPT&serializable=true")).toEqual(healthy);
	});
});

describe("/livez and /readyz", () => {
	const ok = (body: string) => ({ status: 200, headers: [TEXT, NO_SNIFF], body });
	const failed = (body: string) => ({ status: 503, headers: [TEXT, NO_SNIFF], body });

	test("all is well", async () => {
		expect(await house.http("/livez")).toEqual(ok("ok\n"));
		expect(await house.http("/readyz")).toEqual(ok("ok\n"));
		expect(await house.http("/livez", "verbose")).toEqual(ok("[+]serializable_read ok\nok\n"));
		expect(await house.http("/readyz/linearizable_read")).toEqual(ok("ok\n"));
	});

	test("no quorum: alive, not ready", async () => {
		house.member.readFault = "timeout";
		expect(await house.http("/livez")).toEqual(ok("ok\n"));
		const lines = [
			"[+]data_corruption ok",
			"[+]serializable_read ok",
			"[-]linearizable_read failed: etcdserver: request timed out",
			"[+]non_learner ok",
		];
		expect(await house.http("/readyz")).toEqual(failed(`${lines.join("\n")}\n\n`));
		expect(await house.http("/readyz/linearizable_read")).toEqual(failed(`${lines[2]}\n\n`));
		expect(await house.http("/readyz", "exclude=linearizable_read&exclude=nonsense")).toEqual(ok("ok\n"));
	});

	test("corruption and learners are not ready; lack of space is", async () => {
		house.member.alarms = [{ member: 1n, alarm: AlarmType.noSpace }];
		expect((await house.http("/readyz")).status).toBe(200);
		house.member.alarms = [{ member: 1n, alarm: AlarmType.corrupt }];
		expect((await house.http("/readyz/data_corruption")).body).toBe("[-]data_corruption failed: alarm activated: CORRUPT\n\n");
		house.member.alarms = [];
		house.member.members = [member(SELF, { learner: true })];
		expect((await house.http("/readyz/non_learner")).body).toBe("[-]non_learner failed: not supported for learner\n\n");
		expect((await house.http("/livez")).status).toBe(200);
	});
});
