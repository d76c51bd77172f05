import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { createFaultDisk } from "@holdfast/testkit";
import { readNewPassphrase, readPersonSecret, type SecretSources } from "./passphrase.ts";

const FIRST_24 = `${"abandon ".repeat(23)}art`;

function sources(typed: string[], environment: Record<string, string> = {}): SecretSources & { readonly asked: string[] } {
  const disk = createFaultDisk();
  disk.writeFile("/pass", utf8("from a file\r\n"), 0o600);
  disk.writeFile("/code", utf8(`${FIRST_24.toUpperCase().replaceAll(" ", "\n")}\n`), 0o600);
  disk.writeFile("/wrong-code", utf8(FIRST_24.replace("art", "zoo")), 0o600);
  const asked: string[] = [];
  const terminal = {
    isInteractive: typed.length > 0,
    columns: 80,
    write() {},
    note() {},
    live() {},
    async readSecret(prompt: string) {
      asked.push(prompt);
      return typed.shift() as string;
    },
  };
  return { disk, environment, terminal, runShell: (command) => `${command}\nsecond line\n`, asked };
}

describe("passphrase sources", () => {
  it("come in this order: option, variable, variable of a file, prompt", async () => {
    const both = { HOLDFAST_PASSPHRASE: "from the environment", HOLDFAST_PASSPHRASE_FILE: "/pass" };
    const of = async (options: object, environment: Record<string, string>, typed: string[] = []) => {
      const secret = await readPersonSecret(sources(typed, environment), options);
      return secret.type === "passphrase" ? secret.passphrase : secret.type;
    };
    assert.equal(await of({ passphraseFile: "/pass" }, both), "from a file");
    assert.equal(await of({ passphraseCommand: "pass show" }, both), "pass show");
    assert.equal(await of({}, both), "from the environment");
    assert.equal(await of({}, { HOLDFAST_PASSPHRASE_FILE: "/pass" }), "from a file");
    assert.equal(await of({}, {}, ["typed"]), "typed");
    assert.equal(await of({ recoveryFile: "/code" }, both), "recovery");
  });

  it("ask twice for a new passphrase, and refuse two that differ", async () => {
    const options = { file: undefined, command: undefined, variable: "HOLDFAST_PASSPHRASE" } as const;
    const twice = sources(["one", "one"]);
    assert.equal(await readNewPassphrase(twice, options), "one");
    assert.equal(twice.asked.length, 2);
    await assert.rejects(readNewPassphrase(sources(["one", "two"]), options), { code: "input", message: /differ/ });
    await assert.rejects(readNewPassphrase(sources(["", ""]), options), { code: "input", message: "passphrase: empty" });
  });

  it("are a fault when nobody is there to ask", async () => {
    await assert.rejects(readPersonSecret(sources([]), {}), { code: "input", message: /nobody to ask/ });
    await assert.rejects(readPersonSecret(sources([]), { passphraseFile: "/nowhere" }), { code: "input", message: "/nowhere: no such file" });
    await assert.rejects(readPersonSecret(sources([]), { passphraseFile: "/pass", passphraseCommand: "x" }), { code: "input" });
  });

  it("call a recovery code that cannot be one wrong, without repeating it", async () => {
    await assert.rejects(readPersonSecret(sources([]), { recoveryFile: "/wrong-code" }), (error: Error & { detail: Record<string, unknown> }) => {
      assert.equal(error.detail["wrongSecret"], true);
      assert.doesNotMatch(error.message, /abandon|zoo/);
      return true;
    });
  });
});
