/** A whole storage node on loopback, in this process, with a folder of its own: for tests of the ports. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertDefined } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { createSigner, generateSigningKey, type Signer } from "@holdfast/crypto/signature";
import { type EnrollAnswer, encodeMessage, type Invite, parseInvite, type Role } from "@holdfast/protocol";
import { init } from "../commands/init.ts";
import { askForInvite, startControl } from "../control-node.ts";
import { DataFolder } from "../data-folder.ts";
import { type ServeOptions, type StorageNode, startStorageNode } from "../servers.ts";
import { enrollDevice, TestClient, type TlsIdentity } from "./test-client.ts";

const clock = createSystemClock();
const random = createSystemRandom();

export interface EnrolledClient {
  readonly client: TestClient;
  readonly answer: EnrollAnswer;
  readonly identity: TlsIdentity;
  readonly signer: Signer;
}

export class NodeFixture implements AsyncDisposable {
  readonly folder: DataFolder;
  readonly logLines: string[] = [];
  node!: StorageNode;
  #control!: AsyncDisposable;
  readonly #clients: TestClient[] = [];

  private constructor(folder: DataFolder) {
    this.folder = folder;
  }

  static async create(options: Partial<ServeOptions> = {}): Promise<NodeFixture> {
    const path = join(mkdtempSync(join(tmpdir(), "holdfast-node-")), "data");
    const disk = createNodeDisk();
    await init({ disk, clock, random, data: path, hostNames: ["localhost", "127.0.0.1"], passphrase: "a long passphrase" });
    const fixture = new NodeFixture(new DataFolder(disk, path));
    await fixture.start(options);
    return fixture;
  }

  async start(options: Partial<ServeOptions> = {}): Promise<void> {
    const log: ServeOptions["log"] = (_level, message, fields) => void this.logLines.push(`${message} ${JSON.stringify(fields ?? {})}`);
    this.node = await startStorageNode({
      folder: this.folder,
      clock,
      random,
      log,
      listenHost: "127.0.0.1",
      agentPort: 0,
      frontPort: 0,
      reserveBytes: 0,
      ...options,
    });
    const { store, identity } = this.node.services;
    const { nodeKey, agentPort, frontPort } = this.node;
    this.#control = await startControl({
      path: this.folder.controlPath,
      store,
      identity,
      nodeKey,
      agentPort,
      frontPort,
      clock,
      random,
      check: this.node.check,
    });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client[Symbol.dispose]();
    await this.#control[Symbol.asyncDispose]();
    await this.node.close();
  }

  get rootPem(): string {
    return this.node.services.identity.rootPem;
  }

  async invite(account: string, roles: readonly Role[] = ["agent", "maintainer"], quotaBytes: number | null = null): Promise<Invite> {
    const { code } = await askForInvite(this.folder.controlPath, { account, edition: "ese", roles, expiresMs: 3_600_000, quotaBytes });
    return parseInvite(code);
  }

  /** A device of `account`, enrolled through the front port. */
  async enroll(account: string, roles?: readonly Role[], signer: Signer = createSigner(generateSigningKey(random).seed)): Promise<EnrolledClient> {
    const { answer, identity } = await enrollDevice(await this.invite(account, roles), this.rootPem, signer);
    return { client: this.connect(signer, identity), answer, identity, signer };
  }

  /** A client on the agent port, with whatever identity and signer. */
  connect(signer: Signer, identity: TlsIdentity | null): TestClient {
    const client = new TestClient("localhost", this.node.agentPort, this.rootPem, signer, identity);
    this.#clients.push(client);
    return client;
  }

  /** Creates the account's vault through its device. */
  async createVault(client: TestClient, vault: Uint8Array): Promise<void> {
    await client.send({ target: "/v1/vaults", body: encodeMessage({ vault }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(assertDefined(join(this.folder.path, ".."), "a parent"), { recursive: true, force: true });
  }
}
