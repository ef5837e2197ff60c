import type { ClassicLevel } from "classic-level";

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/**
 * One atomic write of LevelDB in the making. The library's own chain looks at options, encodings and hooks of every operation, which is
 * as much work as the operation: here it does that for the first one, and the others, of the same kind of bytes, go straight to what
 * it calls in the end. What an operation is given is copied before it returns.
 */
export class RecordChain {
	private readonly chain: ReturnType<Level["batch"]> & DirectChain;
	private begun = false;

	constructor(level: Level) {
		this.chain = level.batch() as ReturnType<Level["batch"]> & DirectChain;
	}

	put(key: Uint8Array, value: Uint8Array): void {
		if (this.begun) this.chain._put(key, value);
		else this.chain.put(key, value);
		this.begun = true;
	}

	del(key: Uint8Array): void {
		if (this.begun) this.chain._del(key);
		else this.chain.del(key);
		this.begun = true;
	}

	write(): Promise<void> {
		return this.chain.write();
	}
}

/** What whoever implements a chain provides (abstract-level, "private API for implementors"). */
interface DirectChain {
	_put(key: Uint8Array, value: Uint8Array): void;
	_del(key: Uint8Array): void;
}
