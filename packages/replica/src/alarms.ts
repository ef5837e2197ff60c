/** Alarms of the cluster: pairs of a member and a type (etcd API, Alarm). Replicated; they decide what apply refuses. */
import { portableBytes, WireReader, WireType, WireWriter } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { type AlarmEntry, AlarmType } from "./members.ts";

export const AlarmAction = { get: 0, activate: 1, deactivate: 2 } as const;
export type AlarmAction = (typeof AlarmAction)[keyof typeof AlarmAction];

export interface AlarmCommand {
	readonly action: AlarmAction;
	/** Any id: unknown ones and 0 are stored as they are. Ignored by `get`. */
	readonly member: NodeId;
	/** `none` with `get`: alarms of every type. */
	readonly alarm: AlarmType;
}

const Field = { action: 1, member: 2, alarm: 3 } as const;

export function encodeAlarmCommand(command: AlarmCommand): Uint8Array {
	const writer = new WireWriter(portableBytes);
	writer.varint((Field.action << 3) | WireType.varint).varint(command.action);
	writer.varint((Field.member << 3) | WireType.varint).varintBig(command.member);
	writer.varint((Field.alarm << 3) | WireType.varint).varint(command.alarm);
	return writer.finish();
}

/** Null for numbers that mean nothing here. Throws `WireError` on malformed bytes. */
export function decodeAlarmCommand(bytes: Uint8Array): AlarmCommand | null {
	const reader = new WireReader(bytes);
	let action = 0;
	let member: NodeId = 0n;
	let alarm = 0;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === ((Field.action << 3) | WireType.varint)) action = reader.int32();
		else if (tag === ((Field.member << 3) | WireType.varint)) member = reader.uint64();
		else if (tag === ((Field.alarm << 3) | WireType.varint)) alarm = reader.int32();
		else reader.skip(tag);
	}
	if (!isAction(action)) return null;
	return isAlarmType(alarm) ? { action, member, alarm } : null;
}

function isAction(value: number): value is AlarmAction {
	return value === AlarmAction.get || value === AlarmAction.activate || value === AlarmAction.deactivate;
}

function isAlarmType(value: number): value is AlarmType {
	return value === AlarmType.none || value === AlarmType.noSpace || value === AlarmType.corrupt;
}

export class AlarmTable {
	/** Ascending by member, then type. Replaced whole at each change, so it may be handed out. */
	entries: readonly AlarmEntry[] = [];
	/** Whether any member has raised it. Plain fields: apply reads them for every entry. */
	noSpace = false;
	corrupt = false;

	has(member: NodeId, alarm: AlarmType): boolean {
		return this.entries.some((entry) => entry.member === member && entry.alarm === alarm);
	}

	find(alarm: AlarmType): readonly AlarmEntry[] {
		return alarm === AlarmType.none ? this.entries : this.entries.filter((entry) => entry.alarm === alarm);
	}

	/** True when it was not there before. */
	raise(member: NodeId, alarm: AlarmType): boolean {
		if (this.has(member, alarm)) return false;
		this.replace([...this.entries, { member, alarm }]);
		return true;
	}

	/** True when it was there. Exactly this pair: member 0 is no wildcard. */
	clear(member: NodeId, alarm: AlarmType): boolean {
		if (!this.has(member, alarm)) return false;
		this.replace(this.entries.filter((entry) => entry.member !== member || entry.alarm !== alarm));
		return true;
	}

	private replace(entries: AlarmEntry[]): void {
		entries.sort((a, b) => (a.member === b.member ? a.alarm - b.alarm : a.member < b.member ? -1 : 1));
		this.entries = entries;
		this.noSpace = entries.some((entry) => entry.alarm === AlarmType.noSpace);
		this.corrupt = entries.some((entry) => entry.alarm === AlarmType.corrupt);
	}
}
