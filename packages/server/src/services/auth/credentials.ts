/** What the member checks and issues credentials with: made once at its start, from its flags and key files. */
import type { Clock } from "../../ports.ts";
import type { PasswordWork } from "./passwords.ts";
import type { TokenProvider } from "./token-provider.ts";

export interface Credentials {
	readonly tokens: TokenProvider;
	readonly passwords: PasswordWork;
	/** Of new hashes: each step doubles the work. */
	readonly bcryptCost: number;
	/** A call without a token is that of the common name of its client's verified certificate (etcd API 7.6). */
	readonly certificateNames: boolean;
	readonly clock: Clock;
}
