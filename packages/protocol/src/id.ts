/** Names of things, as branded bytes. Only a checking `asX` makes one; hashes are computed elsewhere and checked in here by length. */
import { type Brand, type Bytes, bytesToHex, Fault, hexToBytes } from "@holdfast/base";

/** First 16 bytes of the SHA-256 of the owner's public key. */
export type VaultId = Brand<Bytes, "VaultId">;
/** 16 random bytes that the node gave an account. */
export type AccountId = Brand<Bytes, "AccountId">;
/** First 16 bytes of the SHA-256 of a device's public key. */
export type DeviceId = Brand<Bytes, "DeviceId">;
/** SHA-256 of a frame. */
export type RecordId = Brand<Bytes, "RecordId">;
/** HMAC-SHA-256 of an object. */
export type ObjectId = Brand<Bytes, "ObjectId">;
/** 16 random bytes of a run's lease. */
export type LeaseId = Brand<Bytes, "LeaseId">;
/** HMAC-SHA-256 of a source definition. */
export type LineId = Brand<Bytes, "LineId">;

export const ID_BYTES = 32;
export const SHORT_ID_BYTES = 16;

export const asVaultId = (bytes: Uint8Array): VaultId => checked(bytes, SHORT_ID_BYTES, "vault id") as VaultId;
export const asAccountId = (bytes: Uint8Array): AccountId => checked(bytes, SHORT_ID_BYTES, "account id") as AccountId;
export const asDeviceId = (bytes: Uint8Array): DeviceId => checked(bytes, SHORT_ID_BYTES, "device id") as DeviceId;
export const asLeaseId = (bytes: Uint8Array): LeaseId => checked(bytes, SHORT_ID_BYTES, "lease id") as LeaseId;
export const asRecordId = (bytes: Uint8Array): RecordId => checked(bytes, ID_BYTES, "record id") as RecordId;
export const asObjectId = (bytes: Uint8Array): ObjectId => checked(bytes, ID_BYTES, "object id") as ObjectId;
export const asLineId = (bytes: Uint8Array): LineId => checked(bytes, ID_BYTES, "line") as LineId;

/** The id in `hex`. Anything else is an `input` fault that names `what`. */
export function idFromHex<Id>(hex: string, as: (bytes: Uint8Array) => Id, what: string): Id {
  const bytes = hexToBytes(hex);
  if (bytes === null) throw new Fault("input", `${what}: not hexadecimal`);
  return as(bytes);
}

/** Splits joined 32-byte ids. A length that does not divide is a `format` fault. */
export function splitRecordIds(joined: Uint8Array): RecordId[] {
  if (joined.length % ID_BYTES !== 0) throw new Fault("format", `record ids: length ${joined.length} is not a multiple of ${ID_BYTES}`);
  const ids: RecordId[] = [];
  for (let offset = 0; offset < joined.length; offset += ID_BYTES) ids.push(joined.slice(offset, offset + ID_BYTES) as RecordId);
  return ids;
}

/** First eight hexadecimal digits: what people see and type. */
export function shortHex(id: Uint8Array): string {
  return bytesToHex(id.subarray(0, 4));
}

function checked(bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length !== length) throw new Fault("format", `${what}: got ${bytes.length} bytes, want ${length}`);
  return bytes;
}
