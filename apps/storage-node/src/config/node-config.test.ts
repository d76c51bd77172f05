import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { createNodeDisk } from "@holdfast/base/node";
import { parseServeSettings, readServeSettings, SERVE_DEFAULTS } from "./node-config.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-config-"));
after(() => rmSync(folder, { recursive: true, force: true }));

describe("holdfast-node.toml", () => {
  it("is not needed: there is a default for everything", () => {
    assert.deepEqual(readServeSettings(createNodeDisk(), folder, undefined), SERVE_DEFAULTS);
  });

  it("sets what it names and leaves the rest", () => {
    writeFileSync(join(folder, "holdfast-node.toml"), '[listen]\nagent-port = 9443\n[tls]\nagent = "v8r4"\n');
    const settings = readServeSettings(createNodeDisk(), folder, undefined);
    assert.deepEqual(settings, { ...SERVE_DEFAULTS, agentPort: 9443, agentTls: "v8r4" });
  });

  it("a file that is asked for must be there", () => {
    assert.throws(() => readServeSettings(createNodeDisk(), folder, join(folder, "nowhere.toml")), { code: "input", message: /no such file/ });
  });

  for (const [text, message] of [
    ['[tls]\nagent = "old"', /tls\.agent/],
    ["[tls]\nagnet = 1", /tls\.agnet: is not known/],
    ["[listen]\nagent-port = 70000", /listen\.agent-port/],
    ["[listen", /f\.toml:1: /],
  ] as const) {
    it(`refuses ${JSON.stringify(text)} and says where`, () => {
      assert.throws(() => parseServeSettings(text, "f.toml"), { name: "Fault", code: "input", message });
    });
  }
});
