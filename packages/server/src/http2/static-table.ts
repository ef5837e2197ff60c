/** The static table of HPACK (RFC 7541, appendix A). */

const COMMON_NAMES =
	"accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control " +
	"content-disposition content-encoding content-language content-length content-location content-range content-type cookie date etag " +
	"expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location " +
	"max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie strict-transport-security " +
	"transfer-encoding user-agent vary via www-authenticate";

/** Name and value; the first has index 1. */
export const STATIC_TABLE: ReadonlyArray<readonly [string, string]> = [
	[":authority", ""],
	[":method", "GET"],
	[":method", "POST"],
	[":path", "/"],
	[":path", "/index.html"],
	[":scheme", "http"],
	[":scheme", "https"],
	[":status", "200"],
	[":status", "204"],
	[":status", "206"],
	[":status", "304"],
	[":status", "400"],
	[":status", "404"],
	[":status", "500"],
	...COMMON_NAMES.split(" ").map((name): readonly [string, string] => [name, name === "accept-encoding" ? "gzip, deflate" : ""]),
];

/** Index of the first entry with a name. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
	[...STATIC_TABLE.entries()].reverse().map(([at, [name]]) => [name, at + 1]),
);

/** What an entry counts beyond its two strings (RFC 7541, 4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;
export const DEFAULT_TABLE_BYTES = 4_096;
