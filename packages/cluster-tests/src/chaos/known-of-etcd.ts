/** Promises that etcd 3.4.23 is known to break, by the numbers of its issues. They stay findings; a reader is told where they come from. */
const KNOWN: ReadonlyArray<{ readonly finding: RegExp; readonly issue: number }> = [
	// Whoever waits for a lock is answered when the one before leaves, also when its own lease and key are gone by then.
	{ finding: /has the lock and is not there$/, issue: 9921 },
	// A member that stops leading while it is asked for the time left answers with the largest one there is.
	{ finding: /^timeLeft: .*"ttl":9223372036\}$/, issue: 17642 },
	// Of a lease whose time is up and whose end is not committed yet, less than nothing is left.
	{ finding: /^timeLeft: .*"ttl":-\d+\}$/, issue: 12260 },
	// A leader that was deposed and does not know it yet goes on renewing and ending leases.
	{ finding: /^(?:early|notEarly): /, issue: 15247 },
	{ finding: /^deadIsDead: .*, but later \{"kind":"renewed"/, issue: 15247 },
];

export function withIssue(program: "flotilla" | "etcd", finding: string): string {
	const known = program === "etcd" ? KNOWN.find((one) => one.finding.test(finding)) : undefined;
	return known === undefined ? finding : `${finding} (known: etcd #${known.issue})`;
}

export function isKnown(finding: string): boolean {
	return finding.includes(" (known: etcd #");
}
