/** A refusal or a failure as the wire carried it. */
export class RpcError extends Error {
	readonly code: number;
	readonly text: string;

	constructor(code: number, text: string) {
		super(`${code}: ${text}`);
		this.code = code;
		this.text = text;
	}

	/** Codes after which nobody can know whether a write happened. */
	get outcomeUnknown(): boolean {
		return [1, 2, 4, 10, 13, 14, 15].includes(this.code);
	}
}
