/**
 * Writes src/generated from proto/. Per proto package two files: `<package>.shapes.ts` (interfaces, never loaded at run
 * time) and `<package>.ts` (tables). All calls of all services go to `rpcs.ts`. Run: npm run generate.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { commandFlags } from "@flotilla/base/command";
import type * as protobuf from "protobufjs";
import { camelCase } from "../src/message/describe.ts";

const require = createRequire(import.meta.url);
const pb = require("protobufjs") as typeof protobuf;

const HERE = import.meta.dirname;
const PROTO_FILES = ["kv.proto", "auth.proto", "rpc.proto", "v3lock.proto", "v3election.proto", "health.proto"];
const BANNER = "// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.\n";

/** uint64 fields that count something: safe integers in memory. Every other uint64 is an id. */
const COUNTING_UINT64 = new Set(["raft_term", "raftIndex", "raftTerm", "raftAppliedIndex", "remaining_bytes", "authRevision"]);
/** int64 fields that name something: any of the 64 bits may be set. Every other int64 counts. */
const NAMING_INT64 = new Set(["lease", "ID", "watch_id"]);

export function loadProtos(protoDir: string): protobuf.Root {
	const root = new pb.Root();
	for (const name of PROTO_FILES) pb.parse(readFileSync(join(protoDir, name), "utf8"), root, { keepCase: true });
	root.resolveAll();
	return root;
}

interface ProtoPackage {
	readonly name: string;
	readonly messages: protobuf.Type[];
	readonly enums: protobuf.Enum[];
	readonly services: protobuf.Service[];
}

/** Every generated file by its name. */
export function generate(root: protobuf.Root): Map<string, string> {
	const files = new Map<string, string>();
	const packages = collectPackages(root);
	for (const one of packages) {
		files.set(`${fileOf(one.name)}.shapes.ts`, shapesFile(one));
		files.set(`${fileOf(one.name)}.ts`, tablesFile(one));
	}
	files.set("rpcs.ts", rpcsFile(packages));
	return files;
}

function collectPackages(root: protobuf.Root): ProtoPackage[] {
	const found = new Map<string, ProtoPackage>();
	const visit = (space: protobuf.NamespaceBase): void => {
		for (const object of space.nestedArray) {
			const name = packageOf(object);
			const into = found.get(name) ?? { name, messages: [], enums: [], services: [] };
			if (object instanceof pb.Type) into.messages.push(object);
			else if (object instanceof pb.Enum) into.enums.push(object);
			else if (object instanceof pb.Service) into.services.push(object);
			if (into.messages.length + into.enums.length + into.services.length > 0) found.set(name, into);
			if (object instanceof pb.Namespace) visit(object);
		}
	};
	visit(root);
	return [...found.values()];
}

/** Messages are not nested in each other here, so the package is what is left of the first name in capitals. */
function packageOf(object: protobuf.ReflectionObject): string {
	const parts = object.fullName.slice(1).split(".");
	const first = parts.findIndex((part) => /^[A-Z]/.test(part));
	return parts.slice(0, first === -1 ? parts.length : first).join(".");
}

/** `RangeRequest.SortOrder` is `RangeRequest_SortOrder` in TypeScript. */
function localName(object: protobuf.ReflectionObject): string {
	return object.fullName.slice(packageOf(object).length + 2).replaceAll(".", "_");
}

function fileOf(packageName: string): string {
	return packageName.replaceAll(".", "-");
}

function alias(packageName: string): string {
	return camelCase(packageName.replaceAll(".", "_"));
}

function importedPackages(one: ProtoPackage): string[] {
	const names = new Set<string>();
	for (const message of one.messages) {
		for (const field of message.fieldsArray) {
			if (field.resolvedType !== null && packageOf(field.resolvedType) !== one.name) names.add(packageOf(field.resolvedType));
		}
	}
	return [...names].sort();
}

function reference(type: protobuf.ReflectionObject, from: ProtoPackage): string {
	const name = packageOf(type);
	return name === from.name ? localName(type) : `${alias(name)}.${localName(type)}`;
}

function shapesFile(one: ProtoPackage): string {
	const imports = importedPackages(one).map((name) => `import type * as ${alias(name)} from "./${fileOf(name)}.shapes.ts";\n`);
	const body = one.messages.map((message) => {
		const lines = message.fieldsArray.filter((field) => field.partOf === null).map((field) => fieldLine(field, one));
		for (const union of message.oneofsArray) lines.push(unionLine(union, one));
		return `export interface ${localName(message)} {\n${lines.join("")}}\n`;
	});
	return `${BANNER}${imports.join("")}\n${body.join("\n")}`;
}

function fieldLine(field: protobuf.Field, one: ProtoPackage): string {
	const type = shapeType(field, one);
	const whole = field.repeated ? `readonly ${type.includes(" ") ? `(${type})` : type}[]` : isMessage(field) ? `${type} | null` : type;
	return `\treadonly ${camelCase(field.name)}: ${whole};\n`;
}

function unionLine(union: protobuf.OneOf, one: ProtoPackage): string {
	const members = union.fieldsArray.map(
		(field) => `\t\t| { readonly kind: "${camelCase(field.name)}"; readonly value: ${shapeType(field, one)} }\n`,
	);
	return `\treadonly ${camelCase(union.name)}:\n${members.join("")}\t\t| null;\n`;
}

function isMessage(field: protobuf.Field): boolean {
	return field.resolvedType instanceof pb.Type;
}

function shapeType(field: protobuf.Field, one: ProtoPackage): string {
	if (field.resolvedType instanceof pb.Type) return reference(field.resolvedType, one);
	if (field.resolvedType instanceof pb.Enum) return "number";
	const scalar = scalarType(field);
	if (scalar === "bool") return "boolean";
	if (scalar === "string") return "string";
	if (scalar === "bytes") return "Uint8Array";
	return scalar.endsWith("Id") ? "bigint" : "number";
}

export function scalarType(field: protobuf.Field): string {
	switch (field.type) {
		case "bool":
		case "string":
		case "bytes":
		case "uint32":
			return field.type;
		case "int64":
			return NAMING_INT64.has(field.name) ? "int64Id" : "int64";
		case "uint64":
			return COUNTING_UINT64.has(field.name) ? "uint64" : "uint64Id";
		default:
			throw new Error(`Cannot generate ${field.fullName}: found type ${field.type}, which no message here has used before.`);
	}
}

function tablesFile(one: ProtoPackage): string {
	const words = new Set<string>(["message"]);
	const enums = one.enums.map((each) => `export const ${localName(each)} = ${JSON.stringify(each.values)} as const;\n`);
	const messages = one.messages.map((message) => {
		const lines = message.fieldsArray.map((field) => `\t${tableEntry(field, one, words)},\n`);
		const name = localName(message);
		const table = lines.length === 0 ? "[]" : `[\n${lines.join("")}]`;
		return `export type ${name} = shapes.${name};\nexport const ${name}: MessageType<shapes.${name}> = message("${message.fullName.slice(1)}", () => ${table});\n`;
	});
	const imports = importedPackages(one).map((name) => `import * as ${alias(name)} from "./${fileOf(name)}.ts";\n`);
	return [
		BANNER,
		`import { ${[...words].sort().join(", ")} } from "../message/describe.ts";\n`,
		`import type { MessageType } from "../message/message-type.ts";\n`,
		...imports,
		`import type * as shapes from "./${fileOf(one.name)}.shapes.ts";\n\n`,
		...enums,
		enums.length > 0 ? "\n" : "",
		messages.join("\n"),
	].join("");
}

function tableEntry(field: protobuf.Field, one: ProtoPackage, words: Set<string>): string {
	let type: string;
	if (field.resolvedType instanceof pb.Type) type = reference(field.resolvedType, one);
	else if (field.resolvedType instanceof pb.Enum) {
		words.add("enumOf");
		type = `enumOf(${reference(field.resolvedType, one)})`;
	} else type = `"${scalarType(field)}"`;
	const word = field.partOf !== null ? "either" : field.repeated ? "many" : "one";
	words.add(word);
	const union = field.partOf === null ? "" : `"${field.partOf.name}", `;
	return `${word}(${union}"${field.name}", ${field.id}, ${type})`;
}

function rpcsFile(packages: readonly ProtoPackage[]): string {
	const withServices = packages.filter((one) => one.services.length > 0);
	const imports = withServices.map((one) => `import * as ${alias(one.name)} from "./${fileOf(one.name)}.ts";\n`);
	const rows = withServices.flatMap((one) =>
		one.services.flatMap((service) =>
			service.methodsArray.map((method) => {
				const fields = [
					`service: "${service.fullName.slice(1)}"`,
					`name: "${method.name}"`,
					`request: ${alias(one.name)}.${method.requestType}`,
					`response: ${alias(one.name)}.${method.responseType}`,
					`clientStreams: ${method.requestStream === true}`,
					`serverStreams: ${method.responseStream === true}`,
				];
				return `\t"/${service.fullName.slice(1)}/${method.name}": { ${fields.join(", ")} },\n`;
			}),
		),
	);
	return `${BANNER}${imports.join("")}\n/** Every call of every service by its gRPC path. */\nexport const RPCS = {\n${rows.join("")}} as const;\n`;
}

if (import.meta.main) {
	commandFlags({ call: "npm run generate --", about: "Writes src/generated of packages/api from its proto files.", flags: {} }, process);
	const target = join(HERE, "../src/generated");
	rmSync(target, { recursive: true, force: true });
	mkdirSync(target, { recursive: true });
	const files = generate(loadProtos(join(HERE, "../proto")));
	for (const [name, text] of files) writeFileSync(join(target, name), text);
	console.log(`${files.size} files written to ${target}`);
}
