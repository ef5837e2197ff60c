/** Carries changes out at the target. */

import type { etcdserverpb as pb } from "@flotilla/api";
import { type Change, operationOf, transactionsOf } from "./changes.ts";
import type { LeaseMirror } from "./lease-mirror.ts";
import { SideError } from "./refusals.ts";
import { RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

const TRIES_MAX = 3;

/** One transaction after another. */
export async function writeChanges(target: Side, leases: LeaseMirror, lists: ReadonlyArray<readonly Change[]>): Promise<void> {
	for (const changes of transactionsOf(lists)) await writeTransaction(target, leases, changes);
}

/** A lease may end between the look and the write, at the source as well: then that is asked again. */
async function writeTransaction(target: Side, leases: LeaseMirror, changes: readonly Change[]): Promise<void> {
	for (let tries = 0; ; tries++) {
		const success: pb.RequestOp[] = [];
		for (const change of changes) success.push(operationOf(change, change.kind === "put" ? await leases.ensure(change.lease) : 0n));
		try {
			await write(target, success);
			return;
		} catch (error) {
			if (!SideError.says(error, "requested lease not found") || tries >= TRIES_MAX) throw error;
			await leases.search(changes.flatMap((change) => (change.kind === "put" ? [change.lease] : [])));
		}
	}
}

/** Alone an operation is no larger than it was at the source, where it may have been as large as can be. */
async function write(target: Side, success: readonly pb.RequestOp[]): Promise<void> {
	const request = success.length === 1 ? success[0]?.request : undefined;
	if (request?.kind === "requestPut") await target.call(RPC.put, request.value);
	else if (request?.kind === "requestDeleteRange") await target.call(RPC.deleteRange, request.value);
	else await target.call(RPC.txn, { success });
}
