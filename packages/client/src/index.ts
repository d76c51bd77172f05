export { type DialRuntime, type DialTls, dialRuntime, dialTls, tlsProfileNamed } from "./dial-policy.ts";
export { type EnrollOptions, enroll, fetchPinnedRoot, type PinnedRootOptions } from "./enroll.ts";
export { createHttpRecordStore } from "./http-record-store.ts";
export { createHttpsNet, type HttpsNetOptions } from "./https-net-node.ts";
export { type RetryOptions, withRetry } from "./retry.ts";
export { createSignedSession, type SessionOptions, type SessionRequest, type SignedSession } from "./signed-session.ts";
