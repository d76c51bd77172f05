/**
 * Invite codes: `holdfast1:` and base64url of CBOR `[host, agent port, front port, secret 16, root SPKI SHA-256 32, node key 32]`.
 * The code pins the root of the node's certificates and the node key, so an agent trusts nothing on sight.
 */
import { type Bytes, base64ToBytes, bytesToBase64Url, Fault } from "@holdfast/base";
import { decodeCanonical, encodeCanonical } from "./codec.ts";
import { takeArray, takeBytes, takeText, takeUint } from "./shape.ts";

export interface Invite {
  readonly host: string;
  readonly agentPort: number;
  readonly frontPort: number;
  /** 128 bits, one use. The node keeps only its hash. */
  readonly secret: Bytes;
  readonly rootSpkiSha256: Bytes;
  readonly nodeKey: Bytes;
}

const PREFIX = "holdfast1:";

/** The code as people copy it. */
export function encodeInvite(invite: Invite): string {
  const { host, agentPort, frontPort, secret, rootSpkiSha256, nodeKey } = invite;
  return PREFIX + bytesToBase64Url(encodeCanonical([host, agentPort, frontPort, secret, rootSpkiSha256, nodeKey]));
}

/** The invite in `code`, white space around and within it ignored. Not a code: `input`, without repeating it. */
export function parseInvite(code: string): Invite {
  const text = code.replaceAll(/\s/g, "");
  const bytes = text.startsWith(PREFIX) && text.length < 1_024 ? base64ToBytes(text.slice(PREFIX.length)) : null;
  if (bytes === null) throw new Fault("input", `invite code: not a code, want ${PREFIX}…; copy the whole line that the storage node printed`);
  try {
    const fields = takeArray(decodeCanonical(bytes), "invite", 6);
    return {
      host: takeText(fields[0], "invite host", 255),
      agentPort: takeUint(fields[1], "invite agent port", 65_535),
      frontPort: takeUint(fields[2], "invite front port", 65_535),
      secret: takeBytes(fields[3], "invite secret", 16),
      rootSpkiSha256: takeBytes(fields[4], "invite root", 32),
      nodeKey: takeBytes(fields[5], "invite node key", 32),
    };
  } catch (cause) {
    throw new Fault("input", "invite code: damaged or cut; copy the whole line that the storage node printed", { cause });
  }
}
