/**
 * Profiles of this process over HTTP, with `--enable-pprof`: where the CPU's time goes, and where memory that is still held was
 * allocated. Both name functions and lines of the program and hold nothing of what clients store. For that reason there is no snapshot
 * of the heap: it would hand every key, value and token to whoever asks, and stop the member meanwhile.
 */
import { Session } from "node:inspector";
import type { HttpRoute } from "./front/http-router.ts";
import { plain } from "./front/http1-server.ts";
import type { HttpRequest, HttpResponse } from "./front/seam.ts";

export const PROFILES_PATH = "/debug/pprof";

/** As Go's profiles: a hundred looks a second, one of 512 KiB of allocations. */
const CPU_INTERVAL_US = 10_000;
const HEAP_INTERVAL_BYTES = 512 << 10;
const SECONDS = 30;
const SECONDS_MAX = 300;
const JSON_TYPE = ["Content-Type", "application/json"] as const;

type Respond = (response: HttpResponse) => void;

export class Profiles {
	private readonly session = new Session();
	private readonly commandLine: readonly string[];
	/** Ends the one that is being made: there is one at a time, since it slows the process a little. */
	private stop: (() => void) | null = null;

	/** Allocations are noted from now on. `commandLine`: without its secrets. */
	constructor(commandLine: readonly string[]) {
		this.commandLine = commandLine;
		this.session.connect();
		this.session.post("HeapProfiler.enable");
		this.session.post("HeapProfiler.startSampling", { samplingInterval: HEAP_INTERVAL_BYTES });
		this.session.post("Profiler.enable");
		this.session.post("Profiler.setSamplingInterval", { interval: CPU_INTERVAL_US });
	}

	/** Whoever waits for a profile gets what there is. */
	close(): void {
		this.stop?.();
		this.session.disconnect();
	}

	routes(): ReadonlyMap<string, HttpRoute> {
		const moved: HttpResponse = { status: 301, headers: [["Location", `${PROFILES_PATH}/`]], body: "" };
		return new Map<string, HttpRoute>([
			[PROFILES_PATH, { methods: ["GET"], handle: (_request, respond) => respond(moved) }],
			[`${PROFILES_PATH}/`, { methods: ["GET"], handle: (request, respond) => this.serve(request, respond) }],
		]);
	}

	private serve(request: HttpRequest, respond: Respond): void {
		const name = request.path.slice(PROFILES_PATH.length + 1);
		if (name === "") respond(plain(200, INDEX));
		else if (name === "cmdline") respond(plain(200, this.commandLine.join("\0")));
		else if (name === "profile") this.cpu(request, respond);
		else if (name === "heap") this.session.post("HeapProfiler.getSamplingProfile", answering(respond, "heap.heapprofile"));
		else respond(plain(404, "Unknown profile"));
	}

	private cpu(request: HttpRequest, respond: Respond): void {
		const seconds = Number(request.query.get("seconds") ?? SECONDS);
		if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
			respond(plain(400, `seconds must be a number up to ${SECONDS_MAX}`));
			return;
		}
		if (this.stop !== null) {
			respond(plain(500, "Could not enable CPU profiling: cpu profiling already in use"));
			return;
		}
		const stop = (): void => {
			if (this.stop !== stop) return;
			this.stop = null;
			clearTimeout(timer);
			this.session.post("Profiler.stop", answering(respond, "profile.cpuprofile"));
		};
		const timer = setTimeout(stop, seconds * 1_000).unref();
		this.stop = stop;
		// Whoever leaves is answered in vain, but the profile ends.
		request.onCancel?.(stop);
		this.session.post("Profiler.start");
	}
}

function answering(respond: Respond, file: string): (error: Error | null, result?: { readonly profile: object }) => void {
	const disposition = ["Content-Disposition", `attachment; filename="${file}"`] as const;
	return (error, result) => {
		if (error !== null) respond(plain(500, error.message));
		else respond({ status: 200, headers: [JSON_TYPE, disposition], body: JSON.stringify(result?.profile) });
	};
}

const INDEX = `${PROFILES_PATH}/

profile?seconds=30  where the CPU's time went (.cpuprofile)
heap                where memory that is held was allocated (.heapprofile)
cmdline             the command line

The profiles are V8's: the developer tools of a browser or of an editor open them.`;
