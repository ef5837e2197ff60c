import { nodeBytes } from "../node-bytes.ts";
import type { LiveTls } from "../tls/live-tls.ts";
import { askForView } from "./cluster-view.ts";

export interface Reachable {
	readonly peerUrls: readonly string[];
}

/** Asks all at once whether they run; `done` with the URL of the first one, in the order of the members, or null. */
export function askOthersOver(tls: LiveTls | null) {
	return (clusterId: bigint, members: readonly Reachable[], done: (alive: string | null) => void): void => {
		const urls = members.flatMap(({ peerUrls }) => peerUrls);
		const answers = urls.map(async (url) => ((await askForView(url, nodeBytes, tls))?.clusterId === clusterId ? url : null));
		void Promise.all(answers).then((found) => done(found.find((url) => url !== null) ?? null));
	};
}
