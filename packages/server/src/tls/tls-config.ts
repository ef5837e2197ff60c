/** What the flags say of TLS on one side of a member: towards its clients, or towards its peers. */

export type TlsVersion = "TLSv1.2" | "TLSv1.3";

export interface TlsConfig {
	/** PEM files. */
	readonly certFile: string;
	readonly keyFile: string;
	/** Another certificate for connections that this member opens; empty: the same. */
	readonly dialCertFile: string;
	readonly dialKeyFile: string;
	/** Authorities of the other side; empty: those that Node.js knows. */
	readonly trustedCaFile: string;
	readonly crlFile: string;
	/** Whoever connects must show a certificate of these authorities. etcd demands one whenever authorities are named. */
	readonly clientCertAuth: boolean;
	/** Common names that whoever connects may have; empty: any. */
	readonly allowedCommonNames: readonly string[];
	/** Host names and addresses of which such a certificate must be good for one; empty: any. */
	readonly allowedHostNames: readonly string[];
	/** Whoever connects need not come from an address that its certificate names. */
	readonly skipClientSan: boolean;
	readonly minVersion: TlsVersion;
	readonly maxVersion: TlsVersion;
	/** Go's names; empty: those of Node.js. */
	readonly cipherSuites: readonly string[];
	/** Years for which a certificate that is made at the first start is good; 0: none is made. Then nobody vouches for anybody. */
	readonly selfSignedYears: number;
}

export const NO_TLS_FILES: TlsConfig = {
	certFile: "",
	keyFile: "",
	dialCertFile: "",
	dialKeyFile: "",
	trustedCaFile: "",
	crlFile: "",
	clientCertAuth: false,
	allowedCommonNames: [],
	allowedHostNames: [],
	skipClientSan: true,
	minVersion: "TLSv1.2",
	maxVersion: "TLSv1.3",
	cipherSuites: [],
	selfSignedYears: 0,
};
