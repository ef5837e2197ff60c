/** Requests of the JSON gateway as a seed draws them: the corpus of raw calls in JSON, and how HTTP carries them. */
import { METHODS, type Method, etcdserverpb as pb, type Shape } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import { Speller } from "./json-spelling.ts";
import { Requests } from "./requests.ts";

export interface JsonRequest {
	readonly method: string;
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
	/** What is odd about it; empty: nothing but its spelling. */
	readonly oddity: string;
	/** The call that the path stands for; empty for none. */
	readonly call: string;
	/**
	 * So many lines of the answer are enough: a stream goes on. Of a watch the first one, since etcd 3.4 loses answers to later messages
	 * of one body now and then.
	 */
	readonly lines: number;
}

/** Calls that change nothing. */
const READS = ["/etcdserverpb.KV/Range", "/etcdserverpb.Lease/LeaseTimeToLive", "/v3electionpb.Election/Leader"];
const READS_ALWAYS = ["/etcdserverpb.Cluster/MemberList", "/etcdserverpb.Maintenance/Hash"];
const ALARM = "/etcdserverpb.Maintenance/Alarm";
const KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive";
const WATCH = "/etcdserverpb.Watch/Watch";

const HEADERS: ReadonlyArray<Readonly<Record<string, string>>> = [
	...[
		{},
		{},
		{},
		{},
		{ "Content-Type": "application/json" },
		{ "Content-Type": "text/plain" },
		{ "Content-Type": "application/x-protobuf" },
	],
	...[{ Accept: "text/html" }, { Origin: "https://elsewhere.example" }, { "Grpc-Timeout": "60S" }, { "Grpc-Timeout": "1H" }],
	...[{ "Grpc-Metadata-Hasleader": "true" }, { Connection: "close" }],
];
const TIMEOUTS = ["", "5", "S", "5x", "-5S", "+60S", "0S", "999999H", "99999999M", "1.5S", " 60S", "60S "];

export class JsonRequests {
	private readonly dice: Dice;
	private readonly requests: Requests;

	constructor(dice: Dice) {
		this.dice = dice;
		this.requests = new Requests(dice);
	}

	set revision(revision: number) {
		this.requests.revision = revision;
	}

	next(): JsonRequest {
		const { dice } = this;
		const roll = dice.range(0, 99);
		if (roll < 4) return this.elsewhere();
		if (roll < 9) return this.stream(KEEP_ALIVE, dice.range(0, 4), () => ({ ID: BigInt(dice.range(1, 8)) }));
		if (roll < 13) return this.stream(WATCH, dice.range(1, 4), () => this.watch());
		if (roll < 15) return this.request(dice.pick(READS_ALWAYS), {});
		if (roll < 18) return this.request(ALARM, pb.AlarmRequest.create({ alarm: dice.range(0, 2) }));
		return this.drawn();
	}

	private drawn(): JsonRequest {
		const { dice } = this;
		for (;;) {
			const { path, request } = this.requests.next();
			const method = METHODS.get(path);
			// Those without a path, and bytes that are no message.
			if (method === undefined || method.gatewayPaths.length === 0 || method.shape !== "unary" || path.endsWith("/HashKV")) continue;
			const message = decoded(method, request);
			// A lease without a time of its own would end meanwhile, and not at both at once.
			if (message === null || (path.endsWith("/LeaseGrant") && Number((message as pb.LeaseGrantRequest).TTL) < 1_000)) continue;
			return this.request(path, path.endsWith("/Txn") && dice.chance(1, 2) ? readsOf(message as pb.TxnRequest) : message);
		}
	}

	private request(call: string, message: object): JsonRequest {
		const method = METHODS.get(call);
		if (method === undefined) throw new Error(`no such call: ${call}`);
		const { dice } = this;
		const speller = new Speller(dice, isRead(call, message));
		const { text, oddity } = speller.spell(method.request, message as Shape);
		const body = text === "{}" && dice.chance(1, 2) ? dice.pick(["", " ", "\n\t"]) : text;
		const path = dice.pick(method.gatewayPaths);
		const carried = {
			method: "POST",
			path: dice.chance(1, 8) ? path.replace("/v3/", "/v3beta/") : path,
			headers: dice.pick(HEADERS),
			body,
			lines: 0,
		};
		if (isRead(call, message) && oddity === "" && dice.chance(1, 20)) {
			if (dice.chance(1, 4)) return { ...carried, call, headers: { "Grpc-Metadata-X-Bin": "no base64" }, oddity: "a binary header" };
			return { ...carried, call, headers: { "Grpc-Timeout": dice.pick(TIMEOUTS) }, oddity: "a timeout" };
		}
		return { ...carried, call, oddity };
	}

	/** Several messages behind each other, of which the odd one is the last. */
	private stream(call: string, count: number, message: () => object): JsonRequest {
		const { dice } = this;
		const method = METHODS.get(call);
		if (method === undefined) throw new Error(`no such call: ${call}`);
		const texts: string[] = [];
		let oddity = "";
		while (texts.length < count && oddity === "") {
			const spelled = new Speller(dice, false).spell(method.request, method.request.create(message()) as Shape);
			texts.push(spelled.text);
			oddity = spelled.oddity;
		}
		const body = texts.join(dice.pick(["", "\n", " "]));
		const [path = ""] = method.gatewayPaths;
		const place = oddity === "" ? "" : texts.length === 1 ? ", in the first message" : ", in a later message";
		return { method: "POST", path, headers: {}, body, call, oddity: `${oddity}${place}`, lines: call === WATCH ? 1 : 0 };
	}

	private watch(): object {
		const { dice } = this;
		const value = pb.WatchCreateRequest.create({
			...{ key: Buffer.from(dice.pick(["q", "q/1", ""])), rangeEnd: Buffer.from(dice.pick(["", "r"])) },
			...{
				prevKv: dice.chance(1, 3),
				progressNotify: dice.chance(1, 3),
				fragment: dice.chance(1, 3),
				filters: dice.pick([[], [0], [0, 1]]),
			},
		});
		return { requestUnion: { kind: "createRequest", value } };
	}

	/** Other methods, and paths of nothing. */
	private elsewhere(): JsonRequest {
		const { dice } = this;
		const [call, path] = dice.pick([
			["/etcdserverpb.KV/Range", "/v3/kv/range"],
			["", "/v3/kv/range/"],
			["", "/v3/kv"],
			["", "/v3/"],
			["", "/v3//kv/range"],
			["", "/v3/kv/range:x"],
			["", "/v3/KV/Range"],
			["", "/v3alpha/kv/range"],
			["", "/v3beta/nothing"],
			["", "/v2/keys"],
			["/etcdserverpb.KV/Range", "/v3/kv/range?key=YQ=="],
			["/etcdserverpb.KV/Range", "/v3/kv/%72ange"],
		] as const);
		const method = dice.pick(["POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]);
		const body = method === "GET" || method === "HEAD" ? "" : '{"key":"YQ=="}';
		return { method, path, headers: dice.pick(HEADERS), body, call, oddity: method === "POST" && call !== "" ? "" : "elsewhere", lines: 0 };
	}
}

function decoded({ request }: Method, bytes: Uint8Array): object | null {
	try {
		return request.decode(bytes);
	} catch {
		return null;
	}
}

function isRead(call: string, message: object): boolean {
	if (call === ALARM) return (message as pb.AlarmRequest).action === 0;
	if (call !== "/etcdserverpb.KV/Txn") return READS.includes(call) || READS_ALWAYS.includes(call);
	const { success, failure } = message as pb.TxnRequest;
	return [...success, ...failure].every(({ request }) => request?.kind === "requestRange");
}

/** Of a transaction what changes nothing. */
function readsOf({ compare, success, failure }: pb.TxnRequest): pb.TxnRequest {
	const reads = (ops: pb.TxnRequest["success"]) => ops.filter(({ request }) => request?.kind === "requestRange");
	return { compare, success: reads(success), failure: reads(failure) };
}
