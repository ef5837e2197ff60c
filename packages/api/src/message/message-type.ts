import { decodeMessage } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { readJsonMessage } from "./json-read.ts";
import { writeJsonMessage } from "./json-write.ts";
import { emptyMessage, type Field, type MessageTable, type Shape } from "./table.ts";

/** A message's table together with its TypeScript form `M`. */
export class MessageType<M extends object> implements MessageTable {
	readonly kind = "message";
	readonly typeName: string;
	private readonly describe: () => readonly Field[];
	private table: readonly Field[] | null = null;
	private numbered: ReadonlyArray<Field | undefined> | null = null;

	/** `describe` is asked at first use: messages may contain each other. */
	constructor(typeName: string, describe: () => readonly Field[]) {
		this.typeName = typeName;
		this.describe = describe;
	}

	get fields(): readonly Field[] {
		this.table ??= this.describe();
		return this.table;
	}

	get fieldByNumber(): ReadonlyArray<Field | undefined> {
		this.numbered ??= byNumber(this.fields);
		return this.numbered;
	}

	/** All fields; those that are not given are at their defaults. */
	create(given: Partial<M> = {}): M {
		return Object.assign(emptyMessage(this), given) as M;
	}

	/** Missing fields are at their defaults. Nested messages are given whole. */
	encode(message: Partial<M>): Uint8Array {
		return encodeMessage(this, message as Shape);
	}

	/** Bytes in the result are views of the input. Throws base's `WireError` on malformed input. */
	decode(bytes: Uint8Array): M {
		return decodeMessage(this, bytes) as M;
	}

	/** The gateway's JSON form. */
	encodeJson(message: M): string {
		return writeJsonMessage(this, message as Shape);
	}

	/** Throws `JsonError`. */
	decodeJson(text: string): M {
		return readJsonMessage(this, text) as M;
	}
}

function byNumber(fields: readonly Field[]): Array<Field | undefined> {
	const numbered: Array<Field | undefined> = [];
	for (const field of fields) numbered[field.number] = field;
	return numbered;
}
