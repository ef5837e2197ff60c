/** A flotilla member: everything that a program needs to run one. */

export type { StartRefusal, StartRefusalCode } from "./driver/refusal.ts";
export { START_REFUSED_STATUS } from "./driver/refusal.ts";
export type { Member, MemberEnd, MemberHooks } from "./member.ts";
export { FATAL_STATUS, StartError, startMember } from "./member.ts";
export type { InitialMember, LogLevel, MemberConfig } from "./member-config.ts";
export { DEFAULT_MEMBER_OPTIONS } from "./member-config.ts";
