/** Fault points inside members: the whole cluster is of test builds then. */
import { choose, type Fault, holding, startIfEnded, textOf } from "./fault.ts";

export const POINT_FAULT = "point";

/** One that was told to sleep or to lose messages goes on: nobody waits for its end. */
const ENDS = /panic|error\("EIO"\)/;
const GOES_ON_MS = 200;

export const POINT_FAULTS: Readonly<Record<string, Fault>> = {
	[POINT_FAULT]: {
		about: 'a fault point inside a member is armed for a while (point: wal.beforeWrite, term: 3*error("EIO"), ...)',
		programs: ["flotilla"],
		strike: async (world, details, forMs) => {
			const [member] = (await choose(world, textOf(details, "who", "one"))) ?? [];
			if (member === undefined) return null;
			const [point, term] = [textOf(details, "point", ""), textOf(details, "term", "")];
			const url = `http://127.0.0.1:${world.stage.faultPort(member)}/${point}`;
			return holding([member], async () => {
				const armed = await fetch(url, { method: "PUT", body: term });
				const answer = (await armed.text()).trim();
				if (!armed.ok) throw new Error(`${point}: ${answer}`);
				await world.pause(forMs);
				// Nobody answers where it has ended.
				const told = await fetch(url, { method: "DELETE" }).catch(() => null);
				world.note(`${member.name}: ${told === null ? `${point} ${term}` : (await told.text()).trim()}`);
				const lastLine = await startIfEnded(world, member, ENDS.test(term) ? undefined : GOES_ON_MS);
				if (lastLine !== null) world.note(`${member.name} ended: ${lastLine}`);
			});
		},
	},
};
