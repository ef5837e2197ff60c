/** The words in which the generated tables are written. */
import { MessageType } from "./message-type.ts";
import type { EnumTable, Field, FieldType } from "./table.ts";

export function message<M extends object>(typeName: string, describe: () => readonly Field[]): MessageType<M> {
	return new MessageType<M>(typeName, describe);
}

export function one(protoName: string, number: number, type: FieldType): Field {
	return { protoName, property: camelCase(protoName), number, type, repeated: false, union: null };
}

export function many(protoName: string, number: number, type: FieldType): Field {
	return { protoName, property: camelCase(protoName), number, type, repeated: true, union: null };
}

export function either(union: string, protoName: string, number: number, type: FieldType): Field {
	return { protoName, property: camelCase(protoName), number, type, repeated: false, union: camelCase(union) };
}

export function enumOf(numberOf: Readonly<Record<string, number>>): EnumTable {
	return { kind: "enum", numberOf, nameOf: new Map(Object.entries(numberOf).map(([name, number]) => [number, name])) };
}

/** The JSON name of proto3: underscores go, the letter after one is raised, nothing else changes (`TTL` stays `TTL`). */
export function camelCase(protoName: string): string {
	return protoName.replace(/_(.)/g, (_all, letter: string) => letter.toUpperCase());
}
