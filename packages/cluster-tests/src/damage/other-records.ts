/** Commands of all sorts but those on keys, for a log and tables in which there is something of each. */
import { etcdserverpb } from "@flotilla/api";
import {
	AlarmAction,
	AlarmType,
	authCommand,
	CommandKind,
	encodeAlarmCommand,
	encodeAuthCommand,
	encodeLeaseGrant,
	PermissionType,
} from "@flotilla/replica";

export interface Command {
	readonly kind: CommandKind;
	readonly payload: Uint8Array;
}

/** Longer than any trial: nothing ends by itself. */
const TTL_SECONDS = 1_000_000;

/** A lease with a key, a role that a user has, an alarm that comes and goes: others for each `number`. */
export function otherRecords(number: number, member: bigint): Command[] {
	const id = BigInt(1_000 + number);
	const [role, user, key] = [`role ${number}`, `user ${number}`, `leased ${number}`];
	const permission = { type: PermissionType.readWrite, key, rangeEnd: "" };
	const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
	return [
		{ kind: CommandKind.leaseGrant, payload: encodeLeaseGrant({ id, ttl: TTL_SECONDS }) },
		{
			kind: CommandKind.put,
			payload: etcdserverpb.PutRequest.encode({ key: encode(key), value: encode(`under lease ${id}`), lease: id }),
		},
		{ kind: CommandKind.auth, payload: encodeAuthCommand(authCommand("roleAdd", { role })) },
		{ kind: CommandKind.auth, payload: encodeAuthCommand(authCommand("roleGrantPermission", { role, permission })) },
		{ kind: CommandKind.auth, payload: encodeAuthCommand(authCommand("userAdd", { user, noPassword: true })) },
		{ kind: CommandKind.auth, payload: encodeAuthCommand(authCommand("userGrantRole", { user, role })) },
		alarm(AlarmAction.activate, member),
		alarm(AlarmAction.deactivate, member),
	];
}

/** While it is there nothing can be put. */
export function alarm(action: AlarmAction, member: bigint): Command {
	return { kind: CommandKind.alarm, payload: encodeAlarmCommand({ action, member, alarm: AlarmType.noSpace }) };
}
