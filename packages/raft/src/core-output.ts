import { empty } from "@flotilla/base";
import type { Entry, Message } from "./message.ts";
import type {
	AppendWork,
	ConfigChange,
	CoreOutput,
	FetchRequest,
	MembershipDone,
	ReadFailure,
	ReadGrant,
	SnapshotRequest,
	SoftState,
} from "./output.ts";

const NO_ENTRIES: readonly Entry[] = [];

/**
 * What the core has decided since the last drain. Two of these alternate: one is filled while the caller reads the other,
 * so that nothing is copied and nothing that was handed out changes before the next drain.
 */
export class CoreOutputBuffer implements CoreOutput {
	readonly send: Message[] = [];
	append: AppendWork | null = null;
	apply: readonly Entry[] = NO_ENTRIES;
	readonly reads: ReadGrant[] = [];
	readonly readFailures: ReadFailure[] = [];
	soft: SoftState | null = null;
	config: ConfigChange | null = null;
	readonly fetch: FetchRequest[] = [];
	readonly snapshots: SnapshotRequest[] = [];
	readonly membershipDone: MembershipDone[] = [];

	clear(): void {
		empty(this.send);
		this.append = null;
		this.apply = NO_ENTRIES;
		empty(this.reads);
		empty(this.readFailures);
		this.soft = null;
		this.config = null;
		empty(this.fetch);
		empty(this.snapshots);
		empty(this.membershipDone);
	}
}
