/** Paths that the hostile tests and their server know. */
export const ECHO = "/etcdserverpb.KV/Put";
export const HELD = "/etcdserverpb.KV/Txn";
export const LARGE = "/etcdserverpb.KV/Range";
export const BIDI = "/etcdserverpb.Watch/Watch";
/** A stream that reads nothing behind its first message. */
export const HOLDING = "/etcdserverpb.Lease/LeaseKeepAlive";
