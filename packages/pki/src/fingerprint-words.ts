/**
 * Hashes as words that two people can compare by telephone: the BIP-39 encoding of the first 16 bytes, which is 128 bits and a checksum
 * of 4 bits in twelve words. The list is BIP-39 English (github.com/bitcoin/bips, bip-0039/english.txt, MIT), of which any two words
 * differ within four letters.
 */
import { assert } from "@holdfast/base";
import { entropyToMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

const WORDS_BYTES = 16; // What a device id has; finding another key with the same words takes 2^128 tries.
const HASH_BYTES = 32;

/** Twelve words for a SHA-256 (32 bytes) or for the id that is its first half (16 bytes): a root's key, a device. They are no secret. */
export function fingerprintWords(bytes: Uint8Array): string {
  // Anything but a hash may begin like another: two certificates have their first bytes in common.
  assert(bytes.length === WORDS_BYTES || bytes.length === HASH_BYTES, "words are made of a hash, or of its first half");
  return entropyToMnemonic(bytes.slice(0, WORDS_BYTES), wordlist);
}
