/** Loads and measurements of any server that speaks the etcd v3 API. The command line is `flotilla bench`. */
export { type Aim, type MemberState, Target } from "./client/target.ts";
export { type RunHooks, type RunResult, runLoad } from "./load/run.ts";
export { DEFAULT_SETTINGS, LOAD_NAMES, type LoadName, type Settings } from "./load/settings.ts";
export type { Latency, Point } from "./measure/recorder.ts";
