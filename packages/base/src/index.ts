export { AssertionFailure, assert, assertDefined } from "./assert.ts";
export type { Brand, Bytes } from "./brand.ts";
export {
  base64ToBytes,
  bytesToBase64,
  bytesToBase64Url,
  bytesToHex,
  compareBytes,
  concatBytes,
  copyBytes,
  discardBytes,
  equalBytes,
  equalBytesConstantTime,
  hexToBytes,
  joinBytes,
  u32,
  utf8,
  utf8ToText,
} from "./bytes.ts";
export { FAULTS, Fault, type FaultCode, type FaultDetail, type FaultOptions, type FaultPolicy, isFault, isFaultCode } from "./fault.ts";
export type { Clock, Disk, DiskFile, DiskStat, Net, NetRequest, NetResponse, Random } from "./ports.ts";
