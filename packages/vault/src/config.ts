/** Config of a vault (docs/format.md §6): the numbers that its writers agree on. Version 1 has one set of them. */
import { type Bytes, Fault } from "@holdfast/base";
import {
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MEAN,
  CHUNK_BYTES_MIN,
  decodeCanonical,
  encodeCanonical,
  PACK_TARGET_BYTES,
  takeArray,
  takeFields,
  takeUint,
} from "@holdfast/protocol";
import { CHUNKER_ID } from "./chunker.ts";

const CONTENT_SUITE_ID = 1;
const CHUNKER = [CHUNKER_ID, CHUNK_BYTES_MIN, Math.log2(CHUNK_BYTES_MEAN), CHUNK_BYTES_MAX] as const;

/** Plaintext of the config record of a new vault. */
export function encodeConfig(): Bytes {
  return encodeCanonical(
    new Map<number, number | readonly number[]>([
      [1, CHUNKER],
      [2, CONTENT_SUITE_ID],
      [3, PACK_TARGET_BYTES],
    ]),
  );
}

/** Refuses a config that this version cannot follow with a `version` fault. */
export function checkConfig(plaintext: Uint8Array): void {
  const fields = takeFields(decodeCanonical(plaintext), "config", [1, 2, 3]);
  const chunker = takeArray(fields.get(1), "config chunker", CHUNKER.length).map((value) => takeUint(value, "config chunker"));
  const suiteId = takeUint(fields.get(2), "config content suite");
  const packBytes = takeUint(fields.get(3), "config pack target");
  if (chunker.some((value, index) => value !== CHUNKER[index]) || suiteId !== CONTENT_SUITE_ID || packBytes !== PACK_TARGET_BYTES) {
    throw new Fault("version", "config: needs a later version");
  }
}
