export { aes256Gcm, aes256GcmSync, createAes256Gcm } from "./aes-256-gcm.ts";
export { suiteById, syncSuiteById } from "./registry.ts";
export { openStream, sealStream } from "./stream.ts";
export {
  asInputKey,
  INPUT_KEY_BYTES,
  type InputKey,
  type Plaintext,
  type SegmentOpener,
  type SegmentSealer,
  type SegmentSpan,
  type Suite,
  sealedFault,
} from "./suite.ts";
