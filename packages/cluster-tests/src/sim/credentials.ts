import type { Dice } from "@flotilla/base";
import { type Credentials, type PasswordWork, simpleTokens } from "@flotilla/server/internal";
import type { SimProcess } from "./process.ts";

/** Credentials of one process life: tokens are the product's, drawn from the seed; hashes are no hashes and take no time. */
export function simCredentials({ clock, scheduler }: SimProcess, dice: Dice): Credentials {
	const passwords: PasswordWork = {
		hash: (password, _cost, done) => scheduler.soon(() => done(`hash of ${password}`)),
		compare: (password, hash, done) => scheduler.soon(() => done(hash === `hash of ${password}`)),
	};
	const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => dice.range(0, 255));
	return { tokens: simpleTokens(random), passwords, bcryptCost: 4, certificateNames: false, clock };
}
