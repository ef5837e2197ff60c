/** Where flotilla's gateway answers otherwise than that of the etcd 3.4 at hand, and is right to. Each has a row in docs/compatibility.md. */
import type { JsonAnswer } from "./json-answers.ts";
import type { JsonRequest } from "./json-requests.ts";
import { WRONG } from "./json-spelling.ts";

export interface JsonExchange {
	readonly request: JsonRequest;
	readonly mine: JsonAnswer;
	readonly theirs: JsonAnswer;
}

export interface KnownInJson {
	/** As the page names it. */
	readonly name: string;
	applies(exchange: JsonExchange): boolean;
}

const FIRST = ", in the first message";
const LATER = ", in a later message";

export const KNOWN_IN_JSON: readonly KnownInJson[] = [
	{
		name: "a JSON field of a wrong kind",
		applies: ({ request, mine, theirs }) => isWrong(request) && isRefusedAsJson(mine, 400, 3) && isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "a stream by POST whose first message is none",
		applies: ({ request: { oddity }, mine, theirs }) =>
			oddity.endsWith(FIRST) && isRefusedAsJson(mine, 400, 3) && isRefusedAsJson(theirs, 500, 2),
	},
	{
		name: "a stream by POST of which a later message is none",
		applies: ({ request: { oddity }, mine, theirs }) => oddity.endsWith(LATER) && isRefusedAsJson(mine, 400, 3) && theirs.status === 200,
	},
	{
		name: "a failed precondition over HTTP",
		applies: ({ mine, theirs }) => mine.status === 400 && theirs.status === 412 && isSame(mine.body, theirs.body) && codeOf(mine) === 9,
	},
	{
		name: "a number like `1.0` for a whole one in a JSON body",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "a fraction of nothing" && !isRefusedAsJson(mine, 400, 3) && isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "blanks around a number in a string of a JSON body",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "blanks around a number in a string" && isRefusedAsJson(mine, 400, 3) && !isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "base64 in a JSON body",
		applies: ({ request: { oddity }, mine, theirs }) =>
			(oddity === "base64 without padding" || oddity === "base64 for addresses") &&
			!isRefusedAsJson(mine, 400, 3) &&
			isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "line breaks inside base64 in a JSON body",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "line breaks in base64" && isRefusedAsJson(mine, 400, 3) && !isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "a field by both of its names in a JSON body",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "a field by both names" && isRefusedAsJson(mine, 400, 3) && !isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "two members of one choice (`version` and `value` of a comparison) in a JSON body",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "two members of a choice" && isRefusedAsJson(mine, 400, 3) && !isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "what stands behind the first object of a body of one request",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "more behind it" && isRefusedAsJson(mine, 400, 3) && !isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "a JSON body that is `null`, or no object",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "null body" && isRefusedAsJson(mine, 400, 3) && !isRefusedAsJson(theirs, 400, 3),
	},
	{
		name: "unknown paths, and other methods than POST, below `/v3/`",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "elsewhere" &&
			((mine.status === 404 && theirs.status === 404 && isShapeOf(request, mine, 5)) ||
				(mine.status === 501 && theirs.status === 405 && isShapeOf(request, mine, 12))),
	},
	{
		name: "a path with `//` in it",
		applies: ({ request, mine, theirs }) => request.path.includes("//") && mine.status === 404 && theirs.status === 301,
	},
	{
		name: "the header of alarms",
		applies: ({ request, mine, theirs }) => request.call.endsWith("/Alarm") && isSame(withoutHeader(mine), withoutHeader(theirs)),
	},
	{
		name: "an alarm of an unknown kind",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "an unknown number" && request.call.endsWith("/Alarm") && mine.status === 400 && theirs.status === 200,
	},
	{
		name: "an unknown sort order",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "an unknown number" && messageOf(mine) === "etcdserver: invalid sort option" && !isSame(mine.body, theirs.body),
	},
	{
		name: "a binary header (`Grpc-Metadata-X-Bin`) that is no base64",
		applies: ({ request, mine, theirs }) =>
			request.oddity === "a binary header" && !isRefusedAsJson(mine, 400, 3) && isRefusedAsJson(theirs, 400, 3),
	},
];

function isWrong({ oddity }: JsonRequest): boolean {
	return oddity.startsWith(WRONG) && !oddity.endsWith(FIRST) && !oddity.endsWith(LATER);
}

/** By whoever reads the body: the calls themselves are refused in words of the API, which are never different. */
function isRefusedAsJson({ status, body }: JsonAnswer, wanted: number, code: number): boolean {
	const [refusal] = body as readonly { readonly code?: number; readonly message?: string; readonly error?: unknown }[];
	const { message = "" } = refusal ?? {};
	return status === wanted && body.length === 1 && refusal?.code === code && !/^etcdserver: |^election: /.test(message);
}

/** There is no body where only its head was asked for. */
function isShapeOf({ method }: JsonRequest, answer: JsonAnswer, code: number): boolean {
	return method === "HEAD" ? answer.body.length === 0 : codeOf(answer) === code;
}

function withoutHeader({ body }: JsonAnswer): unknown {
	return body.map((each) => ({ ...(each as object), header: undefined }));
}

function messageOf({ body }: JsonAnswer): string | undefined {
	return (body as readonly { readonly message?: string }[])[0]?.message;
}

function codeOf({ body }: JsonAnswer): number | undefined {
	return (body as readonly { readonly code?: number }[])[0]?.code;
}

function isSame(left: unknown, right: unknown): boolean {
	return JSON.stringify(left) === JSON.stringify(right);
}
