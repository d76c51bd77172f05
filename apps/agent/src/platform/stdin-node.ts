/** Standard input of this process. It blocks the thread: for workers only. */
import { readSync } from "node:fs";
import type { ByteInput } from "./byte-input.ts";
import { platformFault } from "./platform-fault.ts";

const STDIN = 0;
/** Between two looks at an input that does not block and has nothing yet. */
const IDLE_MS = 10;

/** @param readInto - As `readSync` of descriptor 0; a test may pass its own. */
export function createStdin(readInto: (target: Uint8Array) => number = (target) => readSync(STDIN, target, 0, target.length, null)): ByteInput {
  const never = new Int32Array(new SharedArrayBuffer(4));
  return {
    read(target) {
      for (;;) {
        try {
          return readInto(target);
        } catch (error) {
          const { code } = error as { readonly code?: string };
          if (code === "EOF") return 0; // A closed pipe, as some systems say it.
          if (code === undefined) throw error;
          if (code !== "EAGAIN") throw platformFault("read of standard input", code, error);
        }
        Atomics.wait(never, 0, 0, IDLE_MS);
      }
    },
  };
}
