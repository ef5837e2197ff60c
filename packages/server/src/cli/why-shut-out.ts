/**
 * Why a member does not let a tool of the command line in, as a sentence that names the flag. The gRPC library tells OpenSSL's text, or
 * nothing: so a handshake is made once more, and looked at.
 */
import { readFile } from "node:fs/promises";
import { connect, type TLSSocket } from "node:tls";
import { type NamedFile, verifyKeyMaterial } from "../tls/key-material.ts";
import type { Access, CallError } from "./outside-client.ts";

/** After the handshake: a member that lets a client in speaks first (SETTINGS), one that does not ends the connection. */
const PATIENCE_MS = 10_000;

const UNAUTHENTICATED = 16;
const UNKNOWN_ISSUER = new Set([
	...["SELF_SIGNED_CERT_IN_CHAIN", "DEPTH_ZERO_SELF_SIGNED_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
	...["UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"],
]);

type Files = Pick<Access, "cacert" | "cert" | "key">;

/** Throws with the file that is not what it should be. */
export async function checkFiles({ cacert, cert, key }: Files): Promise<void> {
	const read = async (flag: string, path: string | undefined): Promise<NamedFile> => {
		if (path === undefined) return { name: flag, content: null };
		try {
			return { name: `${flag} ${path}`, content: await readFile(path) };
		} catch (error) {
			throw new Error(`${flag} ${path} cannot be read: ${(error as Error).message}`);
		}
	};
	const pair = { cert: await read("--cert", cert), key: await read("--key", key) };
	verifyKeyMaterial({ pairs: [pair], authorities: await read("--cacert", cacert) });
}

/** `endpoint`: with or without a scheme. Null: nobody is there, or the reason is another one, and the error itself tells it. */
export async function whyShutOut(endpoint: string, access: Access, { code, details }: CallError): Promise<string | null> {
	if (code === UNAUTHENTICATED || /user name is empty|authentication failed|invalid auth token/.test(details))
		return whyNotLoggedIn(access, details);
	const secure = endpoint.startsWith("https://") || access.cacert !== undefined || access.cert !== undefined;
	const seen = await shakeHands(endpoint, access);
	return secure ? whyNotSecure(access, seen) : whyNotPlain(seen);
}

function whyNotLoggedIn({ login }: Access, details: string): string {
	if (login === undefined) return "authentication is on, and no user was named (--user NAME)";
	return `it does not take the user ${login.name} with this password (${details})`;
}

interface Handshake {
	/** What is wrong with the member's certificate; null: nothing, or it was not seen. */
	readonly distrust: string | null;
	readonly isMade: boolean;
	readonly end: "spoke" | "ended" | "waited";
	/** Of the error that ended it; empty: none. */
	readonly code: string;
}

const DEMAND = "it demands a certificate of its clients (--client-cert-auth)";

function whyNotPlain({ isMade, code }: Handshake): string | null {
	if (!isMade) return null;
	const demand = isCertificateDemand(code) ? `; ${DEMAND}, too: --cert FILE --key FILE` : "";
	return `it speaks TLS, and was asked without: name its authority by --cacert FILE${demand}`;
}

function whyNotSecure({ cacert, cert }: Access, { distrust, isMade, end, code }: Handshake): string | null {
	if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return "it speaks no TLS: leave out https://, --cacert, --cert and --key";
	if (distrust !== null) return whyDistrusted(cacert, distrust);
	if (isCertificateDemand(code) && cert === undefined) return `${DEMAND}, and none was named: --cert FILE --key FILE`;
	if (!isMade || end !== "ended") return null;
	const told = code === "" ? "" : ` (${code})`;
	if (cert === undefined)
		return `it ended the connection behind the handshake${told}; if it demands certificates of its clients, name one: --cert FILE --key FILE`;
	return `it does not take the certificate ${cert}${told}: its log says why ("rejected connection")`;
}

function whyDistrusted(cacert: string | undefined, distrust: string): string {
	if (distrust === "CERT_HAS_EXPIRED") return "its certificate has expired";
	if (distrust === "ERR_TLS_CERT_ALTNAME_INVALID") return "its certificate is made out to other names than this endpoint";
	if (!UNKNOWN_ISSUER.has(distrust)) return `its certificate is not trusted (${distrust})`;
	if (cacert === undefined) return "its certificate is of an authority that this machine does not know: name it by --cacert FILE";
	return `its certificate is not of the authority in ${cacert}: name the right one by --cacert FILE`;
}

/** TLS 1.3, and what TLS 1.2 has for it. */
function isCertificateDemand(code: string): boolean {
	return code === "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" || code === "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE";
}

/** Takes any certificate, to see whether anything else is wrong. Nothing is sent behind the handshake. */
async function shakeHands(endpoint: string, { cacert, cert, key }: Files): Promise<Handshake> {
	const { hostname, port } = new URL(endpoint.includes("://") ? endpoint : `https://${endpoint}`);
	const read = (path: string | undefined): Promise<Buffer> | undefined => (path === undefined ? undefined : readFile(path));
	const files = { ca: await read(cacert), cert: await read(cert), key: await read(key) };
	const socket = connect({
		...{ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), ALPNProtocols: ["h2"] },
		...Object.fromEntries(Object.entries(files).filter(([, contents]) => contents !== undefined)),
		rejectUnauthorized: false,
	});
	try {
		return await watched(socket);
	} finally {
		socket.destroy();
	}
}

function watched(socket: TLSSocket): Promise<Handshake> {
	return new Promise((resolve) => {
		let isMade = false;
		const over = (end: Handshake["end"], code = ""): void => {
			clearTimeout(timer);
			// Its type is an error, and it is the code of one.
			const distrust = isMade && !socket.authorized ? String(socket.authorizationError) : null;
			resolve({ distrust, isMade, end, code });
		};
		const timer = setTimeout(() => over("waited"), PATIENCE_MS);
		socket
			.on("secureConnect", () => {
				isMade = true;
			})
			.once("data", () => over("spoke"))
			.on("error", ({ code = "" }: NodeJS.ErrnoException) => over("ended", code))
			.on("close", () => over("ended"));
	});
}
