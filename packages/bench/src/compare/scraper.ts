/** Reads `/metrics` of every member each second, as a monitor does, only more often. */
import { get as getPlain } from "node:http";
import { get as getSecure } from "node:https";
import { splitEndpoint } from "../client/access.ts";

const EVERY_MS = 1_000;
const PATIENCE_MS = 5_000;

export class Scraper {
	/** Answers that came whole. */
	scrapes = 0;
	private readonly timer: NodeJS.Timeout;

	constructor(endpoints: readonly string[]) {
		this.timer = setInterval(() => {
			for (const endpoint of endpoints) this.scrape(endpoint);
		}, EVERY_MS);
	}

	stop(): void {
		clearInterval(this.timer);
	}

	private scrape(endpoint: string): void {
		const { host, port, secure } = splitEndpoint(endpoint);
		const where = { host, port, path: "/metrics", timeout: PATIENCE_MS };
		const request = secure ? getSecure({ ...where, rejectUnauthorized: false }) : getPlain(where);
		request.on("timeout", () => request.destroy());
		// A member that is at its limit may let one wait; that it is not read at all is seen by the count.
		request.on("error", () => {});
		request.on("response", (response) => {
			response.resume();
			response.once("end", () => {
				if (response.statusCode === 200) this.scrapes++;
			});
		});
	}
}
