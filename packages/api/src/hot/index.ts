/** The hand-written codecs of the hot messages: pure, for the replica and the services alike. */
export type { HotCodec } from "./codec-interface.ts";
export type * from "./types.ts";
