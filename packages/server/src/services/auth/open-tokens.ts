import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { AuthTokenOptions } from "../../member-config.ts";
import type { Clock } from "../../ports.ts";
import { JwtTokens } from "./jwt.ts";
import { type KeyFile, signingKeys } from "./jwt-keys.ts";
import { noTokens, simpleTokens, type TokenProvider } from "./token-provider.ts";

/** The provider that `--auth-token` asks for. Key files are read once, here. Throws with the text to be shown. */
export function openTokens(options: AuthTokenOptions, clock: Clock): TokenProvider {
	switch (options.kind) {
		case "none":
			return noTokens;
		case "simple":
			return simpleTokens(randomBytes);
		case "jwt": {
			const { signMethod, ttlMs } = options;
			const keys = signingKeys(signMethod, { publicKey: readKey(options.publicKeyFile), privateKey: readKey(options.privateKeyFile) });
			if (typeof keys === "string") throw new Error(keys);
			return new JwtTokens({ signMethod, ttlMs, keys, clock });
		}
	}
}

function readKey(path: string): KeyFile | null {
	if (path === "") return null;
	try {
		return { path, content: readFileSync(path) };
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		throw new Error(`auth: invalid auth options: cannot read ${path} (${code ?? "unknown"})`, { cause: error });
	}
}
