/** Recovery codes (docs/format.md §5): 24 words of the English list of BIP-39, which are 256 bits of entropy and 8 bits of checksum. */
import { Fault, type Random } from "@holdfast/base";
import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { asRecoveryEntropy, type RecoveryEntropy, SECRET_BYTES } from "./key.ts";

const WORD_COUNT = 24;
const TEXT_LENGTH_MAX = 4_096; // Far over 24 words with any spacing; bounds the work on what somebody pasted.

export function generateRecoveryEntropy(random: Random): RecoveryEntropy {
  return asRecoveryEntropy(random.bytes(SECRET_BYTES));
}

/** The 24 words, lower case, one space between. */
export function recoveryCodeOf(entropy: RecoveryEntropy): string {
  return entropyToMnemonic(entropy, wordlist);
}

/** The entropy in a typed code; case and spacing do not matter. Faults are `input` and name places, never words. */
export function parseRecoveryCode(text: string): RecoveryEntropy {
  if (text.length > TEXT_LENGTH_MAX) throw new Fault("input", `recovery code: too long, want ${WORD_COUNT} words`);
  const words = text
    .normalize("NFKD")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length !== WORD_COUNT) throw new Fault("input", `recovery code: got ${words.length} words, want ${WORD_COUNT}`);
  const unknown = words.flatMap((word, index) => (wordlist.includes(word) ? [] : [String(index + 1)]));
  if (unknown.length > 0) {
    throw new Fault("input", `recovery code: not in the word list: word ${unknown.join(", ")} of ${WORD_COUNT}`, { detail: { unknownWords: unknown } });
  }
  try {
    return asRecoveryEntropy(mnemonicToEntropy(words.join(" "), wordlist));
  } catch {
    throw new Fault("input", "recovery code: the checksum is wrong; every word is in the list, so one is mistaken or two are exchanged");
  }
}
