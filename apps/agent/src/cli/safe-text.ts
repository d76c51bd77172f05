/** Text that came from outside, made fit for a terminal. */
import { utf8ToText } from "@holdfast/base";

/** Control characters, line and paragraph separators, and the marks that turn the direction of text. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** `text` with what could move the cursor or fool the reader written as `\u{…}`. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** A path as raw bytes; bytes that are not UTF-8 are shown as `\xNN`. */
export function safePath(path: Uint8Array): string {
  const text = utf8ToText(path);
  if (text !== null) return safeText(text);
  let shown = "";
  for (const byte of path) shown += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  return shown;
}
