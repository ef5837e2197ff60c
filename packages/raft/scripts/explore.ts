/**
 * Everything that can happen to three members within a few terms, one change and one crash, breadth first:
 * `npm run explore -- [states at most, in thousands]`. Exits 1 with the
 * shortest way to a broken promise if there is one.
 */
import { commandFlags } from "@flotilla/base/command";
import { SCOPES } from "../test/explore/scopes.ts";
import { explore } from "../test/explore/search.ts";

const { thousands } = commandFlags(
	{
		call: "npm run explore --",
		about: "Everything that can happen to three members within a few terms, one change and one crash, breadth first.",
		flags: { thousands: { kind: "number", least: 1, fallback: 500, about: "of states of each scope, at most" } },
		bare: ["thousands"],
	},
	process,
);
const statesMax = thousands * 1_000;
for (const [name, scope] of Object.entries(SCOPES)) {
	const start = performance.now();
	const { states, transitions, depth, complete, elections, commits, changes, broken } = explore({ ...scope, statesMax });
	const seconds = ((performance.now() - start) / 1_000).toFixed(1);
	console.log(
		`${name}: ${states} states, ${transitions} transitions, depth ${depth}, ${complete ? "complete" : "not complete"}, ${seconds} s; ` +
			`up to ${elections} elections, ${commits} entries and ${changes} changes committed in one run`,
	);
	if (broken === null) continue;
	console.log(`  BROKEN: ${broken.text}`);
	for (const step of broken.way) console.log(`    ${step}`);
	process.exitCode = 1;
}
