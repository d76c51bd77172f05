/** Names and paths for screens: what a hostile name could do to a terminal is escaped, and so is what is not UTF-8. */
import { utf8, utf8ToText } from "@holdfast/base";

/** Control characters, line and paragraph separators, and those that turn the direction of text (Unicode "Bidi_Control"). */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\\]/gu;

/** `path` as text in one line: bytes that are unsafe or not UTF-8 as `\xNN`, a backslash as `\\`. Different paths stay different. */
export function printable(path: Uint8Array): string {
  const text = utf8ToText(path);
  if (text !== null) return text.replaceAll(UNSAFE, escapeCharacter);
  let shown = "";
  for (let start = 0; start < path.length; ) {
    const length = validLength(path, start);
    if (length === 0) shown += escapeByte(path[start] as number);
    else shown += (utf8ToText(path.subarray(start, start + length)) as string).replaceAll(UNSAFE, escapeCharacter);
    start += Math.max(1, length);
  }
  return shown;
}

function escapeCharacter(character: string): string {
  if (character === "\\") return "\\\\";
  return [...utf8(character)].map(escapeByte).join("");
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Bytes of the one UTF-8 character at `start`, or 0 when there is none. */
function validLength(bytes: Uint8Array, start: number): number {
  for (let length = 1; length <= 4 && start + length <= bytes.length; length++) if (utf8ToText(bytes.subarray(start, start + length)) !== null) return length;
  return 0;
}
