/** What happened to leases at this member since its process began; read only when somebody looks. */
export class LeaseCounts {
	granted = 0;
	/** Given back by clients, or expired. */
	ended = 0;
	/** The next two only while this member led. */
	expired = 0;
	renewed = 0;
	/** How many were granted with so many seconds or fewer, and more than the bound before: 1, 2, 4 and so on; then all others. */
	readonly ttls = new Float64Array(TTL_BOUNDS + 1);
	ttlSum = 0;

	grant(ttl: number): void {
		this.granted++;
		const place = Math.min(TTL_BOUNDS, Math.ceil(Math.log2(ttl)));
		this.ttls[place] = (this.ttls[place] as number) + 1;
		this.ttlSum += ttl;
	}
}

const TTL_BOUNDS = 24;
