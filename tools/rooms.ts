/** Who may import whom (ARCHITECTURE.md, "Rooms"). Data only; `tidy.ts` enforces it. */

/** Packages: what each may import of ours, and from outside. `*` stands for every package. */
export interface PackageRule {
	readonly ours: readonly string[];
	readonly outside: readonly string[];
	/** No node: import, no clock, chance, promise or console in `src` (tests excepted). */
	readonly pure: boolean;
}

export const PACKAGES: Readonly<Record<string, PackageRule>> = {
	base: { ours: [], outside: [], pure: true },
	raft: { ours: ["base"], outside: [], pure: true },
	mvcc: { ours: ["base"], outside: [], pure: true },
	api: { ours: ["base"], outside: ["protobufjs"], pure: false },
	replica: { ours: ["base", "raft", "mvcc", "api/hot"], outside: [], pure: true },
	server: {
		ours: ["base", "raft", "mvcc", "api", "api/hot", "replica"],
		outside: ["@grpc/grpc-js", "bcryptjs", "classic-level", "msgpackr", "yaml", "node:*", "prom-client", "ws"],
		pure: false,
	},
	bench: { ours: ["base", "api", "server/internal"], outside: ["node:*"], pure: false },
	"cluster-tests": {
		ours: ["base", "base/command", "raft", "mvcc", "api", "api/hot", "replica", "server", "server/internal"],
		outside: ["@grpc/grpc-js", "@keyv/etcd", "etcd3", "keyv", "protobufjs", "testcontainers", "ws", "yaml", "node:*"],
		pure: false,
	},
};

/** Folders inside a package whose imports are restricted further. A folder not named is free. `.` is the package's own top level. */
export const ROOMS: Readonly<Record<string, { readonly folders: readonly string[]; readonly pure?: boolean }>> = {
	"api/src/hot": { folders: [], pure: true },
	"server/src/wal": { folders: ["disk"] },
	"server/src/disk": { folders: [] },
	"server/src/stores": { folders: [".", "disk"] },
	"server/src/peers": { folders: [".", "wal", "tap", "tls"] },
	"server/src/tap": { folders: ["."] },
	"server/src/metrics": { folders: [] },
	"server/src/driver": { folders: [".", "metrics", "wal", "disk", "stores", "services", "tap"] },
	"server/src/services": { folders: [".", "front", "metrics", "tap"] },
	"server/src/http2": { folders: [] },
	"server/src/tls": { folders: [] },
	"server/src/front": { folders: [".", "http2", "tls"] },
};

/** Names that a pure room must not touch: hidden inputs, or waiting. */
export const IMPURE_NAMES: readonly RegExp[] = [
	/\bDate\b/,
	/\bperformance\b/,
	/\bMath\.random\b/,
	/\bcrypto\b/,
	/\bprocess\b/,
	/\bBuffer\b/,
	/\bset(Timeout|Interval|Immediate)\b/,
	/\bqueueMicrotask\b/,
	/\basync\b/,
	/\bawait\b/,
	/\bPromise\b/,
	/\bconsole\b/,
	/\blocaleCompare\b/,
	/\bIntl\b/,
	/\bTextDecoder\b/,
];
