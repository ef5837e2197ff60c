/** When a revision was there, as far as answers tell: with these two bounds an order of revisions can be held against clocks. */

/** Of a call that was answered: when it was made, when its answer was read, and the revision in the answer's header. */
export interface DatedAnswer {
	readonly returned: number;
	readonly revision: number;
}

export class RevisionTimes {
	/** By the moment of their return, each with the greatest revision told until then. */
	private readonly byMoment: DatedAnswer[] = [];
	/** By revision, each with the first moment at which that or a later one was told. */
	private readonly byRevision: DatedAnswer[] = [];

	constructor(answers: readonly DatedAnswer[]) {
		let revision = 1;
		for (const answer of [...answers].sort((a, b) => a.returned - b.returned)) {
			revision = Math.max(revision, answer.revision);
			this.byMoment.push({ returned: answer.returned, revision });
		}
		let returned = Number.POSITIVE_INFINITY;
		for (const answer of [...answers].sort((a, b) => b.revision - a.revision)) {
			returned = Math.min(returned, answer.returned);
			this.byRevision.push({ returned, revision: answer.revision });
		}
		this.byRevision.reverse();
	}

	/** The greatest revision that somebody had been told before this moment: what was asked for from then on comes behind it. */
	toldBefore(moment: number): number {
		const next = firstPlace(this.byMoment, ({ returned }) => returned >= moment);
		return this.byMoment[next - 1]?.revision ?? 1;
	}

	/** From this moment on the revision was there; infinite: nobody was told of it, or of a later one. */
	thereFrom(revision: number): number {
		const place = firstPlace(this.byRevision, (answer) => answer.revision >= revision);
		return this.byRevision[place]?.returned ?? Number.POSITIVE_INFINITY;
	}
}

/** The first place at which `holds` is true, which it stays behind it. */
function firstPlace(sorted: readonly DatedAnswer[], holds: (answer: DatedAnswer) => boolean): number {
	let [low, high] = [0, sorted.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (holds(sorted[middle] as DatedAnswer)) high = middle;
		else low = middle + 1;
	}
	return low;
}
