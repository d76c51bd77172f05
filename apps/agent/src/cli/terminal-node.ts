/** The terminal of this process, on any runtime. */
import process from "node:process";
import { assert, Fault } from "@holdfast/base";
import type { Terminal } from "./terminal.ts";

const COLUMNS_DEFAULT = 80;
const CLEAR_LINE = "\r\u001b[2K";
const SECRET_LENGTH_MAX = 4_096;

export function createTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  let hasLive = false;
  const clear = (): string => {
    const text = hasLive ? CLEAR_LINE : "";
    hasLive = false;
    return text;
  };
  return {
    isInteractive: stdin.isTTY === true && stderr.isTTY === true,
    get columns() {
      return stderr.columns || COLUMNS_DEFAULT;
    },
    write(line) {
      const cleared = clear();
      if (cleared !== "") stderr.write(cleared);
      stdout.write(`${line}\n`);
    },
    note: (line) => void stderr.write(`${clear()}${line}\n`),
    live(line) {
      const cleared = clear();
      hasLive = line !== "";
      if (cleared !== "" || hasLive) stderr.write(`${cleared}${line}`);
    },
    async readSecret(prompt) {
      assert(stdin.isTTY === true, "terminal: a secret is asked for where nobody sits");
      try {
        const typed = readWithoutEcho(); // Before the prompt is seen: who types at once is not echoed either.
        stderr.write(`${clear()}${prompt}`);
        return await typed;
      } finally {
        stderr.write("\n");
      }
    },
  };
}

function readWithoutEcho(): Promise<string> {
  const { stdin } = process;
  return new Promise((resolve, reject) => {
    let text = "";
    const end = (): void => {
      stdin.off("data", take);
      stdin.setRawMode(false);
      stdin.pause();
    };
    const take = (typed: string | Uint8Array): void => {
      for (const character of String(typed)) {
        if (character === "\r" || character === "\n") {
          end();
          resolve(text);
          return;
        }
        if (character === "\u0003" || (character === "\u0004" && text === "")) {
          end();
          reject(new Fault("input", "prompt: nothing was entered"));
          return;
        }
        if (character === "\u007f" || character === "\b") text = [...text].slice(0, -1).join("");
        else if (character === "\u0015") text = "";
        else if (character >= " " && text.length < SECRET_LENGTH_MAX) text += character;
      }
    };
    stdin.setEncoding("utf8");
    stdin.setRawMode(true);
    stdin.on("data", take);
    stdin.resume();
  });
}
