/** Where a peer listens. Names are resolved anew at every dial. */
export interface PeerTarget {
	readonly host: string;
	readonly port: number;
	/** `https`: over TLS. */
	readonly secure: boolean;
}

/** The URLs of one peer, tried in turn. */
export class PeerAddress {
	private targets: readonly PeerTarget[] = [];
	private at = 0;

	/** True when they changed. */
	set(urls: readonly string[]): boolean {
		// Named twice it is the same place: connections that were steady stay so.
		const targets = [...new Set(urls)].map(parsePeerUrl).filter((target) => target !== null);
		const changed = JSON.stringify(targets) !== JSON.stringify(this.targets);
		this.targets = targets;
		return changed;
	}

	next(): PeerTarget | null {
		if (this.targets.length === 0) return null;
		this.at = (this.at + 1) % this.targets.length;
		return this.targets[this.at] as PeerTarget;
	}
}

/** Null for what cannot be dialed: another scheme than `http` and `https`, or no port. */
export function parsePeerUrl(url: string): PeerTarget | null {
	const match = /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[^/:@[\]]+):(\d{1,5})\/?$/.exec(url.trim());
	if (match === null) return null;
	const port = Number(match[3]);
	return port > 65_535 ? null : { host: (match[2] as string).replace(/^\[|\]$/g, ""), port, secure: match[1] === "https" };
}
