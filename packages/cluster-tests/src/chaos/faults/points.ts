/** Fault points inside members: the whole cluster is of test builds then. */
import { choose, type Fault, holding, textOf } from "./fault.ts";

export const POINT_FAULT = "point";

/** What a member that was told to end may take until it has. */
const END_MS = 200;

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
				await world.pause(END_MS);
				world.note(`${member.name}: ${told === null ? `${point} ${term}` : (await told.text()).trim()}`);
				if (member.process.running) return;
				world.note(`${member.name} ended: ${member.process.tail.split("\n").at(-1)?.slice(0, 300)}`);
				await world.stage.startMember(member);
			});
		},
	},
};
