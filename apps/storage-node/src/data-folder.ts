/**
 * The data folder of a storage node, mode 0700: keys and certificates as files, the store beside them.
 *
 *   node.json             host names, time of creation
 *   holdfast-node.toml    settings of `serve`, optional: config/node-config.ts
 *   pki/                  root.pem, root-key.locked.pem, root.crl.pem, intermediate.pem, intermediate-key.pem, node.pem, node-key.pem;
 *                         node.pem may go on with the chain above the leaf, where that is not intermediate.pem;
 *                         previous-N.pem, previous-N-key.pem: intermediates that agents' certificates may still be under
 *   keys/                 node.seed (Ed25519, receipts), archive.key and import.key (X25519): 32 raw bytes each
 *   admin/                device.seed, tls-key.pem, certificate.pem: the operator's own identity
 *   store/                catalog.db, vaults/
 *   control.sock          while `serve` runs
 */
import { join } from "node:path";
import { type Bytes, type Disk, Fault, isFault, utf8, utf8ToText } from "@holdfast/base";
import { z } from "zod";

export const KEY_MODE = 0o600;
export const FOLDER_MODE = 0o700;
const FILE_BYTES_MAX = 4 * 1024 * 1024;
const UNREADABLE = "unreadable";

const nodeConfig = z.strictObject({
  version: z.literal(1),
  hostNames: z.array(z.string().max(253)).min(1).max(64),
  createdAtMs: z.int().min(0),
  /** Where the front port publishes the revocation lists, as the node's certificates say it. */
  crlUrl: z
    .url({ protocol: /^https?$/ })
    .max(512)
    .optional(),
});
export type NodeConfig = z.infer<typeof nodeConfig>;

export class DataFolder {
  readonly path: string;
  readonly disk: Disk;

  constructor(disk: Disk, path: string) {
    this.disk = disk;
    this.path = path;
  }

  get storePath(): string {
    return join(this.path, "store");
  }

  get controlPath(): string {
    return join(this.path, "control.sock");
  }

  /** Whether a node was made here: `node.json` is written last. */
  get isInitialised(): boolean {
    return this.disk.stat(join(this.path, "node.json")) !== null;
  }

  /** Makes the folders. One that holds anything already: `conflict`, so that no keys are overwritten. */
  create(): void {
    if ((this.disk.list(this.path) ?? []).length > 0) throw new Fault("conflict", `data folder: is not empty, got ${this.path}`);
    for (const folder of ["", "pki", "keys", "admin", "store"]) this.disk.makeFolder(join(this.path, folder), FOLDER_MODE);
  }

  /** Refuses a folder that others may read, or that was never set up. */
  requireUsable(): void {
    const stat = this.disk.stat(this.path);
    if (stat === null || !this.isInitialised) throw new Fault("missing", `data folder: holds no storage node, got ${this.path}; run holdfast-node init first`);
    if ((stat.mode & 0o077) !== 0) throw new Fault("denied", `data folder: others may enter it, got mode ${stat.mode.toString(8)}, want 700`);
  }

  config(): NodeConfig {
    const result = nodeConfig.safeParse(JSON.parse(this.readText("node.json")));
    if (!result.success) throw new Fault("input", `node.json: field ${result.error.issues[0]?.path.join(".")}: ${result.error.issues[0]?.message}`);
    return result.data;
  }

  writeConfig(config: NodeConfig): void {
    this.writeText("node.json", `${JSON.stringify(config, null, 2)}\n`);
  }

  /** A file below the folder, or `missing`. */
  read(name: string): Bytes {
    const bytes = this.disk.readFile(join(this.path, name), FILE_BYTES_MAX);
    if (bytes === null) throw new Fault("missing", `data folder: ${name} is missing`);
    return bytes;
  }

  /** Names in a folder below, sorted. */
  list(name: string): readonly string[] {
    return this.disk.list(join(this.path, name)) ?? [];
  }

  readText(name: string): string {
    const text = utf8ToText(this.read(name));
    if (text === null) throw new Fault("format", `data folder: ${name} is not text`);
    return text;
  }

  /** Text of a file that may be missing (`null`) or broken (a text that no reader of ours accepts): for the certificate gate. */
  tryReadText(name: string): string | null {
    try {
      const bytes = this.disk.readFile(join(this.path, name), FILE_BYTES_MAX);
      return bytes === null ? null : (utf8ToText(bytes) ?? UNREADABLE);
    } catch (error) {
      if (!isFault(error)) throw error;
      return UNREADABLE;
    }
  }

  write(name: string, bytes: Uint8Array): void {
    this.disk.writeFile(join(this.path, name), bytes, KEY_MODE);
  }

  writeText(name: string, text: string): void {
    this.write(name, utf8(text));
  }
}
