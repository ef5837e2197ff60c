/** The second door: for the simulator and the tests of whole clusters. What stands here may change with any version. */

export { readCommandLine } from "./cli/command-line.ts";
export { readConfigFile } from "./cli/config-file.ts";
export { answersWanted, refuseFirstStart } from "./cli/first-start.ts";
export { findSelf } from "./cli/join.ts";
export { type LoginWish, loginWish, readLogin } from "./cli/login.ts";
export { isReaderGone, OutputLost, print, watchOutput } from "./cli/output.ts";
export { runMember } from "./cli/run-member.ts";
export type { FileCompletion, FileDisk, FileOp } from "./disk/file-ops.ts";
export { type DiskCrash, SimDisk, type SimDiskOptions } from "./disk/memory-disk.ts";
export { NodeDisk } from "./disk/node-disk.ts";
export { ADDRESS_FILE } from "./driver/addresses.ts";
export type { Booted, BootOutcome, BootWorld } from "./driver/boot.ts";
export { bootMember } from "./driver/boot.ts";
export { stopCleanly } from "./driver/clean-stop.ts";
export type { Driver } from "./driver/driver.ts";
export type { StartRefusal, StartRefusalCode } from "./driver/refusal.ts";
export { REJOIN_RULES, type RejoinRules } from "./driver/rejoin.ts";
export { freePorts } from "./free-ports.ts";
export type {
	CallContext,
	HttpHandler,
	HttpRequest,
	HttpResponse,
	MethodHandler,
	MethodTable,
	Status,
	StreamCall,
	UnaryCall,
} from "./front/seam.ts";
export { Grpc } from "./front/seam.ts";
export { type ConnectionOwner, Http2Connection } from "./http2/connection.ts";
export { type ConnectionOptions, DEFAULT_CONNECTION_OPTIONS } from "./http2/connection-options.ts";
export { ChunkPool } from "./http2/frame-writer.ts";
export { type HeaderBlock, statusOf as http2StatusOf } from "./http2/header-block.ts";
export { type HeaderField, HpackEncoder, type PreparedBlock } from "./http2/hpack-encoder.ts";
export { ErrorCode as Http2ErrorCode, Flag as Http2Flag, FrameType as Http2FrameType, PREFACE as HTTP2_PREFACE } from "./http2/protocol.ts";
export { SocketLink } from "./http2/socket-link.ts";
export { Http2Stream } from "./http2/stream.ts";
export type { PartsAround } from "./member.ts";
export {
	assertMemberConfig,
	DEFAULT_MEMBER_OPTIONS,
	type InitialMember,
	leaseTtlMinSeconds,
	type MemberConfig,
	TICK_MS,
} from "./member-config.ts";
export { TAP_SOCKET } from "./member-folder.ts";
export { nodeBytes } from "./node-bytes.ts";
export { nodeClock, nodeScheduler } from "./node-ports.ts";
export type { ClusterView } from "./peers/cluster-view.ts";
export { encodeFrameHead, type Frame, FrameDecoder } from "./peers/frame.ts";
export { encodeHello, PROTOCOL_VERSION } from "./peers/hello.ts";
export { Lane, laneOf } from "./peers/lane.ts";
export { type LaneName, LossWatch, type LossWatchOptions } from "./peers/loss-watch.ts";
export { decodeMessage, encodeMessage } from "./peers/message-codec.ts";
export { DEFAULT_PEER_LIMITS } from "./peers/options.ts";
export type {
	Clock,
	LaneMessage,
	OpenStore,
	PeerEvents,
	PeerTransport,
	Scheduler,
	Seeker,
	StateDoors,
	StateExport,
	StateOpening,
	StatePart,
	StoreCompletion,
	StoreDisk,
	StoreHouse,
	StoreOp,
	StoreOpening,
	WorldPorts,
} from "./ports.ts";
export type { Credentials } from "./services/auth/credentials.ts";
export type { PasswordWork } from "./services/auth/passwords.ts";
export { simpleTokens } from "./services/auth/token-provider.ts";
export type { Services } from "./services/create-services.ts";
export { createServices } from "./services/create-services.ts";
export type { ServiceDeps, ServiceOptions, ServiceWorld } from "./services/deps.ts";
export type { MemberPort } from "./services/member-port.ts";
export { LevelHouse } from "./stores/level-house.ts";
export type { CrashKind } from "./stores/memory-store.ts";
export { MemoryStore } from "./stores/memory-store.ts";
export { EventTap, type TapRecord } from "./tap/event-tap.ts";
export { readTap, type TapReaderEvents } from "./tap/read-tap.ts";
export type { TapLine } from "./tap/tap-line.ts";
export { FRAME_HEADER_BYTES, frameSeed, readFrameHeader, SEGMENT_HEADER_BYTES } from "./wal/format.ts";
export { decodeIdentity, decodeVoteFile, encodeVoteSlot } from "./wal/meta-files.ts";
