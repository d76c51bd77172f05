/** What a storage node keeps and logs holds no content, no name and no key of the vault. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bytesToBase64, bytesToHex } from "@holdfast/base";
import { PASSPHRASE } from "./harness/agent.ts";
import { type Installation, install } from "./harness/installation.ts";
import { dataFiles } from "./harness/vault-data.ts";

const CONTENT = "kingfisher-content-that-nobody-else-has";
const FILE_NAME = "kingfisher-name-of-a-file";
const FOLDER_NAME = "kingfisher-name-of-a-folder";
const LINK_TARGET = "kingfisher-target-of-a-link";
const XATTR_VALUE = "kingfisher-value-of-an-attribute";
const TAG = "kingfisher-tag";

let installation: Installation;

before(async () => {
  installation = await install("secrecy");
  const { scratch, agent } = installation;
  const folder = scratch.folder("source", FOLDER_NAME);
  writeFileSync(join(folder, FILE_NAME), CONTENT.repeat(1000));
  writeFileSync(join(folder, "small"), CONTENT);
  Bun.spawnSync(["ln", "-s", LINK_TARGET, join(folder, "link")]);
  Bun.spawnSync(["setfattr", "-n", "user.comment", "-v", XATTR_VALUE, join(folder, "small")]);
  await agent.ok(["backup", scratch.at("source"), "--tag", TAG]);
  await agent.ok(["restore", "latest", "--target", scratch.at("restored")]);
  await agent.ok(["snapshots"]);
});
after(async () => installation[Symbol.asyncDispose]());

/** Secrets in each of the forms in which they could lie about: as bytes, hex and base64. */
function secretForms(secret: Uint8Array): Buffer[] {
  return [
    Buffer.from(secret),
    Buffer.from(bytesToHex(secret)),
    Buffer.from(bytesToHex(secret).toUpperCase()),
    Buffer.from(bytesToBase64(secret).replace(/=+$/, "")),
  ];
}

function filesWith(needles: readonly Buffer[]): string[] {
  const { node } = installation;
  const files = dataFiles(node.data).filter((file) => {
    const bytes = readFileSync(file);
    return needles.some((needle) => bytes.includes(needle));
  });
  return needles.some((needle) => Buffer.from(node.log()).includes(needle)) ? [...files, "the log"] : files;
}

describe("the node's data folder and log hold", () => {
  it("what the search can find: a string of its own", () => {
    assert.ok(filesWith([Buffer.from("localhost")]).length > 0, "the search finds nothing at all");
    assert.ok(filesWith([Buffer.from("ada")]).length > 0, "the catalog has the account's name");
  });

  for (const [what, text] of Object.entries({ CONTENT, FILE_NAME, FOLDER_NAME, LINK_TARGET, XATTR_VALUE, TAG, PASSPHRASE })) {
    it(`no ${what.toLowerCase().replace("_", " ")}`, () => {
      assert.deepEqual(filesWith([Buffer.from(text), Buffer.from(text, "utf16le"), Buffer.from(bytesToBase64(Buffer.from(text)).slice(0, 20))]), []);
    });
  }

  it("no key of the device, and no word of the recovery code in a row", () => {
    const { agent } = installation;
    for (const name of ["device.seed", "device-slot.seed"])
      assert.deepEqual(filesWith(secretForms(readFileSync(agent.stateFile(name)).subarray(0, 32))), [], name);
    const words = agent.recoveryCode().split(/\s+/);
    assert.equal(words.length, 24);
    assert.deepEqual(filesWith([Buffer.from(words.slice(0, 3).join(" "))]), []);
  });
});

describe("the agent", () => {
  it("keeps its secrets in files that only its user can read", () => {
    const { agent } = installation;
    const listing = Bun.spawnSync(["find", agent.state, "-perm", "/077", "-print"]).stdout.toString();
    assert.equal(listing, "");
  });

  it("says no secret, even with --verbose", async () => {
    const { agent, scratch } = installation;
    const ran = await agent.ok(["backup", scratch.at("source"), "--verbose"]);
    const said = Buffer.from(ran.stdout + ran.stderr);
    for (const needle of [...secretForms(readFileSync(agent.stateFile("device.seed"))), Buffer.from(PASSPHRASE), Buffer.from(CONTENT)])
      assert.ok(!said.includes(needle));
  });
});
