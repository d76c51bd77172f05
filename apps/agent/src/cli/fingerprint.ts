/** Ids as words: what two people can compare by telephone. */

import type { DeviceId } from "@holdfast/protocol";
import { entropyToMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

/** Twelve words of BIP-39 English for the 16 bytes of a device id. They are no secret. */
export function fingerprintWords(device: DeviceId): string {
  return entropyToMnemonic(device, wordlist);
}
