/** A call with one request and one answer, as the seam has it. */

import { NO_PARTS } from "../../http2/outbox.ts";
import { MALFORMED, NO_REQUEST, SECOND_REQUEST } from "../etcd-texts.ts";
import { Packed } from "../inbox.ts";
import type { Status, UnaryCall, UnaryHandler } from "../seam.ts";
import { NativeCall, OK } from "./native-call.ts";

const NOTHING = new Uint8Array(0);

export class NativeUnaryCall extends NativeCall implements UnaryCall {
	request: Uint8Array = NOTHING;
	protected override readonly single = true;
	protected override readonly malformed = MALFORMED;
	private requests = 0;
	private packed: Packed | null = null;
	private produce: (() => void) | null = null;

	respond(message: Uint8Array): void {
		if (this.over || this.answerAtOnce(message)) return;
		this.sendMessage(message, NO_PARTS);
		if (!this.over) this.finish(OK);
	}

	fail(status: Status): void {
		if (!this.over) this.finish(status);
	}

	whenRead(produce: () => void): void {
		if (this.over) return;
		if (this.connection.mayProduce) produce();
		else if (this.connection.produceLater(this, this.request.length)) this.produce = produce;
		else this.abandon("connectionFull");
	}

	/** Its turn has come. */
	produceNow(): void {
		const { produce } = this;
		this.produce = null;
		if (produce !== null && !this.over) this.run(produce, undefined);
	}

	protected override begin(): void {}

	protected override take(message: Uint8Array | Packed): void {
		if (this.requests++ > 0) this.refuse(SECOND_REQUEST);
		else if (message instanceof Packed) this.packed = message;
		else this.request = message;
	}

	/** Only now is it known that no second request comes. */
	protected override halfClosed(): void {
		if (this.requests === 0) {
			this.finish(NO_REQUEST);
			return;
		}
		if (this.packed !== null) {
			const request = this.unpack(this.packed);
			this.packed = null;
			if (request === null) return;
			this.request = request;
		}
		const { method } = this.head;
		if (method?.shape === "unary") this.run<UnaryCall>(method.handle as UnaryHandler, this);
	}

	protected override drained(): void {}

	protected override letGo(): void {
		super.letGo();
		if (this.produce === null) return;
		this.produce = null;
		this.connection.producesNothing(this);
	}

	override get wantsMore(): boolean {
		return true;
	}
}
