import { METHODS } from "@flotilla/api";
import type { ByteOps } from "@flotilla/base";
import { addedMemberId } from "./cli/cluster-ids.ts";
import { featuresOf } from "./cli/features.ts";
import { shownArguments } from "./cli/flags.ts";
import { urlAddress } from "./cli/member-urls.ts";
import { ETCD_LEVEL } from "./cli/version.ts";
import { DEBUG_VARS_PATH, debugVarsRoute } from "./debug-vars.ts";
import {
	DEFAULT_GRPC_OPTIONS,
	DEFAULT_PORT_LIMITS,
	DEFAULT_WEB_SOCKET_LIMITS,
	GRPC_JS_HOLDS,
	type GrpcFrontOptions,
	type PortLimits,
} from "./front/front-options.ts";
import { createGateway } from "./front/gateway.ts";
import { createGrpcJsFront } from "./front/grpc-js-front.ts";
import { createHttpRouter } from "./front/http-router.ts";
import { createNativeFront } from "./front/native/native-front.ts";
import { type ClientPort, type ListenAddress, openClientPort } from "./front/port.ts";
import type { MethodTable } from "./front/seam.ts";
import { jsonValuesMax, LimitLog, limitsOf } from "./limit-log.ts";
import { DEFAULT_QUOTA_BYTES, leaseTtlMinSeconds, MESSAGE_OVERHEAD_BYTES, type MemberConfig, TICK_MS } from "./member-config.ts";
import { CallFigures } from "./metrics/call-figures.ts";
import type { MemberFigures } from "./metrics/member-figures.ts";
import { METRICS_PATH, watchedRoutes } from "./metrics-route.ts";
import { nodeClock } from "./node-ports.ts";
import type { PeerLinkStats } from "./peers/peer-link.ts";
import type { Clock, Scheduler } from "./ports.ts";
import { Profiles } from "./profiles.ts";
import { ReadyGate } from "./ready-gate.ts";
import { BcryptThread } from "./services/auth/bcrypt-thread.ts";
import type { TokenProvider } from "./services/auth/token-provider.ts";
import { createServices } from "./services/create-services.ts";
import type { MemberPort } from "./services/member-port.ts";
import { observeCalls } from "./services/observed-calls.ts";
import type { EventTap } from "./tap/event-tap.ts";
import type { LiveTls } from "./tls/live-tls.ts";

/** The level of the store's tables, as Status names it. */
const STORAGE_VERSION = "3.6.0";

/** Everything that clients see: the ports of one member, open from the start, answering once it serves. */
export interface ClientSide {
	/** `http://host:port` (or `https`) of the client ports, with the ports that were taken. */
	readonly urls: readonly string[];
	/** From now on calls are answered. */
	serve(): void;
	/** No new calls; open ones may finish for `graceMs`. */
	close(graceMs: number): Promise<void>;
}

/** What the client side uses of the member's surroundings. */
export interface ClientSideWorld {
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	readonly bytes: ByteOps;
	readonly tap: EventTap;
	readonly figures: MemberFigures;
	peers(): readonly PeerLinkStats[];
	readonly tokens: TokenProvider;
	readonly tls: LiveTls | null;
	/** What stands between the adapters and the services. */
	around(methods: MethodTable): MethodTable;
}

/** Rejects when a port cannot be had; none is then left open. */
export async function openClientSide(config: MemberConfig, member: MemberPort, world: ClientSideWorld): Promise<ClientSide> {
	const { scheduler, bytes } = world;
	const gate = new ReadyGate();
	const thread = new BcryptThread();
	const services = createServices({
		member,
		credentials: {
			tokens: world.tokens,
			passwords: thread,
			bcryptCost: config.bcryptCost,
			certificateNames: config.clientTls?.clientCertAuth === true,
			clock: world.clock,
		},
		bytes,
		options: {
			serverVersion: ETCD_LEVEL,
			storageVersion: STORAGE_VERSION,
			maxTxnOps: config.maxTxnOps,
			quotaBytesShown: config.quotaBackendBytes === 0 ? DEFAULT_QUOTA_BYTES : config.quotaBackendBytes,
			warningUnaryRequestMs: config.warningUnaryRequestMs,
			electionTicks: Math.ceil(config.electionMs / TICK_MS),
			watchProgressTicks: Math.ceil(config.watchProgressMs / TICK_MS),
			watchFragmentBytes: config.maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
			leaseTtlMinSeconds: leaseTtlMinSeconds(config),
		},
		soon: (work) => scheduler.soon(work),
		afterTicks: (ticks, work) => scheduler.after(ticks * TICK_MS, work),
		tap: world.tap,
		newMemberId: (peerUrls) => addedMemberId(peerUrls, Math.floor(nodeClock.wallMs() / 1_000)),
	});
	const calls = new CallFigures(METHODS.keys());
	const front = config.grpcServer === "native" ? DEFAULT_GRPC_OPTIONS : { ...DEFAULT_GRPC_OPTIONS, ...GRPC_JS_HOLDS };
	const limits = new LimitLog(limitsOf(config, front, DEFAULT_PORT_LIMITS.connectionsMax), world.tap, world.clock);
	const methods = observeCalls(services.methods, {
		thresholdMs: config.warningUnaryRequestMs,
		clock: world.clock,
		tap: world.tap,
		figures: calls,
		limits,
	});
	const grpcOptions: GrpcFrontOptions = {
		...front,
		onLimit: (limit, client) => limits.refused(limit, client),
		onCut: (reason, { peer }) => limits.cut(reason, peer),
		messageBytesMax: config.maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
		concurrentStreamsMax: config.maxConcurrentStreams,
		pingMinMs: config.keepaliveMinMs,
		keepaliveIntervalMs: config.keepaliveIntervalMs,
		keepaliveTimeoutMs: config.keepaliveTimeoutMs,
	};
	const gateway = createGateway(methods, {
		messageBytesMax: grpcOptions.messageBytesMax,
		onTooLarge: (client) => limits.refused("messageBytes", client),
		valuesMax: jsonValuesMax(config.maxTxnOps),
		onTooManyValues: (client) => limits.refused("jsonValues", client),
	});
	const { all, metrics } = watchedRoutes(services.http, {
		...{ member, calls, figures: world.figures, tap: world.tap, peers: () => world.peers() },
		quotaBytes: config.quotaBackendBytes === 0 ? DEFAULT_QUOTA_BYTES : config.quotaBackendBytes,
		extensive: config.metrics === "extensive",
		features: featuresOf(config.featureGates),
	});
	const commandLine = ["flotilla", ...shownArguments(process.argv.slice(2))];
	const profiles = config.enablePprof ? new Profiles(commandLine) : null;
	const debugRoutes = [[DEBUG_VARS_PATH, debugVarsRoute(member, commandLine)] as const, ...(profiles?.routes() ?? [])];
	const early = new Set([METRICS_PATH]);
	const http = gate.http(
		createHttpRouter({
			routes: new Map([...all, ...debugRoutes]),
			...(config.grpcGateway ? { gateway } : {}),
			corsOrigins: config.corsOrigins,
			hostWhitelist: config.hostWhitelist,
			certificatesName: () => config.clientTls?.clientCertAuth === true && member.auth.enabled,
		}),
		early,
	);
	const metricsHttp = gate.http(createHttpRouter({ routes: metrics }), early);
	const separate = config.listenClientHttpUrls.length > 0;
	const guarded = gate.methods(world.around(methods));
	const grpc =
		config.grpcServer === "native"
			? createNativeFront(guarded, grpcOptions, separate ? null : http)
			: createGrpcJsFront(guarded, grpcOptions);
	const tls =
		world.tls === null
			? null
			: {
					live: world.tls,
					onRefused: (address: string, reason: string, untold: number): void =>
						world.tap.emit("handshakeRefused", 0, 0, { port: "client", address, reason, untold }),
				};
	const portLimits: Partial<PortLimits> = {
		onConnectionsFull: (peer) => limits.refused("connections", { path: "", peer }),
		webSockets: {
			...DEFAULT_WEB_SOCKET_LIMITS,
			onLimit: (limit, peer) => limits.refused(limit, { path: "", peer }),
			onCut: (reason, peer) => limits.cut(reason, peer),
		},
	};
	const ports: ClientPort[] = [];
	const closePorts = async (graceMs: number): Promise<void> => {
		world.tls?.close();
		profiles?.close();
		services.endStreams();
		await Promise.all(ports.map((port) => port.close(graceMs)));
		await thread.close();
	};
	try {
		ports.push(
			await openClientPort({
				addresses: addressesOf(config.listenClientUrls),
				grpc,
				http: separate ? null : http,
				tls,
				limits: portLimits,
			}),
		);
		// The other ports speak HTTP/1.1 alone.
		if (separate)
			ports.push(await openClientPort({ addresses: addressesOf(config.listenClientHttpUrls), grpc: null, http, tls, limits: portLimits }));
		const { listenMetricsUrls } = config;
		if (listenMetricsUrls.length > 0) {
			ports.push(
				await openClientPort({ addresses: addressesOf(listenMetricsUrls), grpc: null, http: metricsHttp, tls, limits: portLimits }),
			);
		}
	} catch (error) {
		await closePorts(0);
		throw error;
	}
	return { urls: (ports[0] as ClientPort).addresses.map(urlOf), serve: () => gate.open(), close: closePorts };
}

function addressesOf(urls: readonly string[]): ListenAddress[] {
	return urls.map((url) => {
		const address = urlAddress(url);
		if (address === null) throw new Error(`cannot listen on ${url}: http://host:port is needed`);
		return { host: address.host, port: Number(address.port), secure: url.startsWith("https:") };
	});
}

function urlOf(address: ListenAddress): string {
	if ("socketPath" in address) return `unix://${address.socketPath}`;
	const scheme = address.secure === true ? "https" : "http";
	return `${scheme}://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}
