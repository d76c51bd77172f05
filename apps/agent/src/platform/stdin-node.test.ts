import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createStdin } from "./stdin-node.ts";

/** Answers the reads in turn: a number of bytes, or the code of a system error. */
function scripted(answers: readonly (number | string)[]): (target: Uint8Array) => number {
  let next = 0;
  return (target) => {
    const answer = answers[next++] as number | string;
    if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
    target.fill(next, 0, answer);
    return answer;
  };
}

describe("standard input", () => {
  it("gives what came, and 0 at the end, also of a pipe that the other side closed", () => {
    const target = new Uint8Array(4);
    const input = createStdin(scripted([3, 0, "EOF"]));
    assert.equal(input.read(target), 3);
    assert.deepEqual(target, Uint8Array.of(1, 1, 1, 0));
    assert.equal(input.read(target), 0);
    assert.equal(input.read(target), 0);
  });

  it("waits where there is nothing yet", () => {
    const input = createStdin(scripted(["EAGAIN", "EAGAIN", 2]));
    assert.equal(input.read(new Uint8Array(4)), 2);
  });

  it("tells by a fault that it cannot be read", () => {
    assert.throws(() => createStdin(scripted(["EIO"])).read(new Uint8Array(4)), { name: "Fault", code: "transport" });
    assert.throws(() => createStdin(scripted(["EISDIR"])).read(new Uint8Array(4)), {
      name: "Fault",
      detail: { errno: "EISDIR", call: "read of standard input" },
    });
  });
});
