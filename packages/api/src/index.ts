/** The etcd v3 protocol: messages, codecs, methods and error texts. */
export type * from "./hot/index.ts";
