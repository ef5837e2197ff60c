/** How JWTs are signed and verified, by the method that the flag names and by no other (RFC 7518, RFC 8037). */
import {
	constants,
	createHmac,
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	type KeyObject,
	sign,
	timingSafeEqual,
	verify,
} from "node:crypto";

type Family = "HS" | "RS" | "PS" | "ES" | "EdDSA";

interface SignMethod {
	readonly family: Family;
	/** Null: the curve has its own. */
	readonly hash: "sha256" | "sha384" | "sha512" | null;
	/** Type of the key in Node's words, and its curve. */
	readonly keyType: "secret" | "rsa" | "ec" | "ed25519";
	readonly curve?: string;
}

const CURVES = { 256: "prime256v1", 384: "secp384r1", 512: "secp521r1" } as const;

export const SIGN_METHODS: ReadonlyMap<string, SignMethod> = new Map([
	...([256, 384, 512] as const).flatMap((bits): Array<readonly [string, SignMethod]> => {
		const hash = `sha${bits}` as const;
		return [
			[`HS${bits}`, { family: "HS", hash, keyType: "secret" }],
			[`RS${bits}`, { family: "RS", hash, keyType: "rsa" }],
			[`PS${bits}`, { family: "PS", hash, keyType: "rsa" }],
			[`ES${bits}`, { family: "ES", hash, keyType: "ec", curve: CURVES[bits] }],
		];
	}),
	["EdDSA", { family: "EdDSA", hash: null, keyType: "ed25519" }],
]);

/** Null: no file was named. */
export interface KeyFiles {
	readonly publicKey: KeyFile | null;
	readonly privateKey: KeyFile | null;
}

export interface KeyFile {
	readonly path: string;
	readonly content: Buffer;
}

export interface SigningKeys {
	/** Null: this member can verify and not sign. */
	sign: ((data: string) => Buffer) | null;
	verify(data: string, signature: Buffer): boolean;
}

/** The keys, or what is wrong with them in etcd's words where it has some. */
export function signingKeys(name: string, files: KeyFiles): SigningKeys | string {
	const method = SIGN_METHODS.get(name);
	if (method === undefined) return "auth: invalid auth options";
	if (method.family === "HS")
		return files.privateKey === null || files.privateKey.content.length === 0 ? MISSING : symmetric(method, files.privateKey.content);
	const privateKey = files.privateKey === null ? null : keyOf(createPrivateKey, files.privateKey.content, method);
	const given = files.publicKey === null ? null : keyOf(createPublicKey, files.publicKey.content, method);
	if (privateKey === "bad") return useless(name, files.privateKey);
	if (given === "bad") return useless(name, files.publicKey);
	const derived = privateKey === null ? null : createPublicKey(privateKey);
	if (derived !== null && given !== null && !derived.equals(given)) return "auth: public and private keys don't match";
	const publicKey = given ?? derived;
	return publicKey === null ? MISSING : asymmetric(method, publicKey, privateKey);
}

function useless(name: string, file: KeyFile | null): string {
	return `auth: invalid auth options: no key that ${name} can use stands in ${file?.path ?? ""}`;
}

const MISSING = "auth: missing key data";

function keyOf(read: (pem: Buffer) => KeyObject, pem: Buffer, { keyType, curve }: SignMethod): KeyObject | "bad" {
	try {
		const key = read(pem);
		const fits = key.asymmetricKeyType === keyType && (curve === undefined || key.asymmetricKeyDetails?.namedCurve === curve);
		return fits ? key : "bad";
	} catch {
		return "bad";
	}
}

function symmetric({ hash }: SignMethod, secret: Buffer): SigningKeys {
	const key = createSecretKey(secret);
	const mac = (data: string): Buffer =>
		createHmac(hash ?? "sha256", key)
			.update(data)
			.digest();
	return {
		sign: mac,
		verify(data, signature) {
			const right = mac(data);
			return right.length === signature.length && timingSafeEqual(right, signature);
		},
	};
}

function asymmetric({ family, hash }: SignMethod, publicKey: KeyObject, privateKey: KeyObject | null): SigningKeys {
	const options =
		family === "PS"
			? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
			: family === "ES"
				? { dsaEncoding: "ieee-p1363" as const }
				: {};
	return {
		sign: privateKey === null ? null : (data) => sign(hash, Buffer.from(data), { key: privateKey, ...options }),
		verify: (data, signature) => verify(hash, Buffer.from(data), { key: publicKey, ...options }, signature),
	};
}
