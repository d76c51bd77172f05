import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToBase64Url, isFault } from "@holdfast/base";
import { testId } from "@holdfast/testkit";
import { encodeCanonical } from "./codec.ts";
import { encodeInvite, type Invite, parseInvite } from "./invite.ts";

const INVITE: Invite = {
  host: "node.example",
  agentPort: 8443,
  frontPort: 8444,
  secret: testId("secret").slice(0, 16),
  rootSpkiSha256: testId("root"),
  nodeKey: testId("node key"),
};
const refuses = (code: string): void =>
  assert.throws(
    () => parseInvite(code),
    (error) => isFault(error, "input") && (code.length < 20 || !error.message.includes(code)),
    code.slice(0, 30),
  );

describe("invites", () => {
  it("come back as they went, whatever white space the way has added", () => {
    const code = encodeInvite(INVITE);
    assert.match(code, /^holdfast1:[A-Za-z0-9_-]+$/);
    assert.deepEqual(parseInvite(code), INVITE);
    assert.deepEqual(parseInvite(`  ${code.slice(0, 40)}\r\n\t${code.slice(40)}\n`), INVITE);
  });

  it("are refused when they are cut anywhere, without being repeated", () => {
    const code = encodeInvite(INVITE);
    for (let length = 1; length < code.length; length++) refuses(code.slice(0, length));
    assert.throws(
      () => parseInvite(""),
      (error) => isFault(error, "input"),
    );
  });

  it("are refused with another prefix, other characters or too long", () => {
    const code = encodeInvite(INVITE);
    for (const wrong of [code.replace("holdfast1", "holdfast2"), `x${code}`, `${code}!`, `${code}A`, `holdfast1:${"A".repeat(2_000)}`, "holdfast1:"])
      refuses(wrong);
  });

  it("are refused with a field of the wrong type or length", () => {
    const { host, agentPort, frontPort, secret, rootSpkiSha256, nodeKey } = INVITE;
    const fields = [host, agentPort, frontPort, secret, rootSpkiSha256, nodeKey];
    for (const [index, wrong] of [
      [0, 5],
      [0, "x".repeat(256)],
      [1, 65_536],
      [1, -1],
      [2, "8444"],
      [3, secret.slice(1)],
      [4, secret],
      [5, null],
    ] as const) {
      refuses(`holdfast1:${bytesToBase64Url(encodeCanonical(fields.with(index, wrong as never)))}`);
    }
    refuses(`holdfast1:${bytesToBase64Url(encodeCanonical(fields.slice(0, 5)))}`);
    refuses(`holdfast1:${bytesToBase64Url(encodeCanonical([...fields, 1]))}`);
  });
});
