/** Random ports for tests: the same bytes on every runtime. */
import { assert, type Random } from "@holdfast/base";

/** Bytes 0, 1, 2, … modulo 256, on and on. */
export function createCountingRandom(): Random {
  let next = 0;
  return { bytes: (byteCount) => Uint8Array.from({ length: byteCount }, () => next++ & 0xff) };
}

/** Exactly `script`, piece by piece: a draw that does not fit is a failed assert. */
export function createScriptedRandom(...script: readonly Uint8Array[]): Random {
  const left = [...script];
  return {
    bytes(byteCount) {
      const piece = left.shift();
      assert(piece !== undefined && piece.length === byteCount, `random: got a draw of ${byteCount} bytes, want ${piece?.length}`);
      return new Uint8Array(piece);
    },
  };
}
