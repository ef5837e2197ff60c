/** `--auth-token`: a sort of tokens, and behind commas what it needs (etcd API 7.4). */
import type { AuthTokenOptions } from "../member-config.ts";
import { SIGN_METHODS } from "../services/auth/jwt-keys.ts";
import { parseGoDuration } from "./go-values.ts";
import { bad, good, type Parsed } from "./parsed.ts";

/** etcd's word for whatever is wrong with it. */
export const INVALID_AUTH_OPTIONS = "auth: invalid auth options";
const JWT_TTL = "5m";

export function parseAuthToken(text: string): Parsed<AuthTokenOptions> {
	const [kind = "", ...pairs] = text.split(",");
	const options = new Map<string, string>();
	for (const pair of pairs) {
		const [name = "", value, ...more] = pair.split("=");
		if (value === undefined || more.length > 0 || options.has(name)) return bad(INVALID_AUTH_OPTIONS);
		options.set(name, value);
	}
	if (kind === "") return good({ kind: "none" });
	if (kind === "simple") return good({ kind: "simple" });
	return kind === "jwt" ? jwtOptions(options) : bad(INVALID_AUTH_OPTIONS);
}

/** Names that are not known are passed over, as in etcd. */
function jwtOptions(options: ReadonlyMap<string, string>): Parsed<AuthTokenOptions> {
	const signMethod = options.get("sign-method") ?? "";
	const ttl = parseGoDuration(options.get("ttl") || JWT_TTL);
	if (!SIGN_METHODS.has(signMethod) || !ttl.ok || ttl.value <= 0) return bad(INVALID_AUTH_OPTIONS);
	const [publicKeyFile, privateKeyFile] = [options.get("pub-key") ?? "", options.get("priv-key") ?? ""];
	return good({ kind: "jwt", signMethod, publicKeyFile, privateKeyFile, ttlMs: ttl.value });
}
