/** Who this agent is: what enrolment and `init` or `join` left in the state folder. Nothing in it is secret; all of it is trusted, so its mode is checked. */
import { type Bytes, bytesToHex, type Disk, Fault, hexToBytes, utf8, utf8ToText } from "@holdfast/base";
import { type AccountId, asAccountId, asDeviceId, asVaultId, type DeviceId, LABEL_BYTES_MAX, type VaultId } from "@holdfast/protocol";
import { z } from "zod";
import { OWN_FILE_MODE, OWN_FOLDER_MODE, readOwnFile } from "./own-file.ts";
import type { StatePaths } from "./state-paths.ts";

export interface Identity {
  readonly host: string;
  readonly agentPort: number;
  readonly frontPort: number;
  readonly device: DeviceId;
  readonly account: AccountId;
  readonly accountName: string;
  readonly edition: "dl" | "se" | "ese";
  readonly label: string;
  /** The node's key, as the invite pinned it. */
  readonly nodeKey: Bytes;
  /** SHA-256 of the SPKI of the node's root, as the invite pinned it. */
  readonly rootSpkiSha256: Bytes;
  /** `null` until `init` or `join` has finished. */
  readonly vault: VaultId | null;
  readonly enrolledAtMs: number;
}

const IDENTITY_BYTES_MAX = 16 * 1024;
const hex = (byteCount: number) => z.string().regex(new RegExp(`^[0-9a-f]{${byteCount * 2}}$`), `want ${byteCount} bytes in hexadecimal`);
const port = z.int().min(1).max(65_535);

const identityFile = z.strictObject({
  version: z.literal(1),
  host: z.string().min(1).max(255),
  agentPort: port,
  frontPort: port,
  device: hex(16),
  account: hex(16),
  accountName: z.string().max(LABEL_BYTES_MAX),
  edition: z.enum(["dl", "se", "ese"]),
  label: z.string().max(LABEL_BYTES_MAX),
  nodeKey: hex(32),
  rootSpkiSha256: hex(32),
  vault: hex(16).nullable(),
  enrolledAtMs: z.int().min(0),
});

/** The identity, or `null` before enrolment. A file that was damaged or opened to others: a fault that says how to mend it. */
export function readIdentity(disk: Disk, paths: StatePaths): Identity | null {
  const bytes = readOwnFile(disk, paths.identity, IDENTITY_BYTES_MAX);
  if (bytes === null) return null;
  const parsed = identityFile.safeParse(parseJson(bytes, paths.identity));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Fault(
      "format",
      `${paths.identity}: field ${issue?.path.join(".") || "(whole)"}: ${issue?.message ?? "wrong"}; enrol again with a new invite (holdfast enroll CODE --force)`,
    );
  }
  const { version: _, ...file } = parsed.data;
  return {
    ...file,
    device: asDeviceId(bytesOf(file.device)),
    account: asAccountId(bytesOf(file.account)),
    nodeKey: bytesOf(file.nodeKey),
    rootSpkiSha256: bytesOf(file.rootSpkiSha256),
    vault: file.vault === null ? null : asVaultId(bytesOf(file.vault)),
  };
}

/** The identity. Before enrolment: an `input` fault. */
export function requireIdentity(disk: Disk, paths: StatePaths): Identity {
  const identity = readIdentity(disk, paths);
  if (identity === null)
    throw new Fault("input", `state folder ${paths.root}: not enrolled; get an invite code from the storage node and run: holdfast enroll CODE`);
  return identity;
}

/** Replaces the identity, durable. */
export function writeIdentity(disk: Disk, paths: StatePaths, identity: Identity): void {
  const file = {
    version: 1,
    ...identity,
    device: bytesToHex(identity.device),
    account: bytesToHex(identity.account),
    nodeKey: bytesToHex(identity.nodeKey),
    rootSpkiSha256: bytesToHex(identity.rootSpkiSha256),
    vault: identity.vault === null ? null : bytesToHex(identity.vault),
  };
  disk.makeFolder(paths.root, OWN_FOLDER_MODE);
  disk.writeFile(paths.identity, utf8(`${JSON.stringify(identityFile.parse(file), null, 2)}\n`), OWN_FILE_MODE);
}

/** The JSON value in a small file of ours; `format` naming the file when it is none. */
export function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(utf8ToText(bytes) ?? "");
  } catch (cause) {
    throw new Fault("format", `${path}: damaged, not JSON`, { cause });
  }
}

function bytesOf(text: string): Bytes {
  return hexToBytes(text) as Bytes; // The schema has checked it.
}
