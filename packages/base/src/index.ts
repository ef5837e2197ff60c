/**
 * What every room needs and nothing of ours may precede: assertions, seeded dice, a ring, bytes, integers, protobuf wire
 * primitives and the event tap's vocabulary. Imports nothing.
 */
export { assert, fail, InvariantError, unreachable } from "./assert.ts";
export type { ByteOps } from "./bytes.ts";
export { bytesEqual, concatBytes, portableBytes } from "./bytes.ts";
export { combineCrc32c } from "./crc-combine.ts";
export { Dice } from "./dice.ts";
export { empty } from "./empty.ts";
export { highHalf, lowHalf, putVarint64, varint64Size } from "./halves.ts";
export { readBigU64, readU32, readU64, writeBigU64, writeU32, writeU64 } from "./int64.ts";
export type { MarkName } from "./marks.ts";
export { MARK_NAMES, marks, marksDuring } from "./marks.ts";
export { NumberTable } from "./number-table.ts";
export { Ring } from "./ring.ts";
export type { TapEventName, TapFields, TapSink } from "./tap.ts";
export { silentTap, TAP_EVENTS, TAP_VERSION } from "./tap.ts";
export { WireError, WireReader, WireType, WireWriter } from "./wire.ts";
