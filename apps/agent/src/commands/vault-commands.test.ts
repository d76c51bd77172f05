/** Enrolment, `init`, `join` and `key` through the command line, against a storage node in memory. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, Fault, utf8 } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto";
import { asRecordId, parseJournalEntry, type RecordStore } from "@holdfast/protocol";
import { createMemoryProgram, INVITE, type MemoryProgram } from "../testing/memory-program.ts";

const SLOW = { timeout: 120_000 }; // Argon2id takes its time, on purpose.

/** Enrolled, with passphrase files in place. */
async function enrolled(): Promise<MemoryProgram> {
  const program = createMemoryProgram();
  program.disk.writeFile("/pass", utf8("correct horse\n"), 0o600);
  program.disk.writeFile("/wrong", utf8("battery staple\n"), 0o600);
  const { code, err } = await program.run("enroll", INVITE);
  assert.equal(code, 0, err.join("\n"));
  return program;
}

const init = (program: MemoryProgram, ...more: string[]) =>
  program.run("init", "--passphrase-file", "/pass", "--recovery-file", "/recovery", "--json", ...more);

/** Kinds of the journal's entries, in order. */
function kinds(program: MemoryProgram): number[] {
  return (program.account.node?.journal ?? []).map(({ entry }) => parseJournalEntry(entry).payload.body.kind);
}

/** Lets `count` commits pass, then refuses. */
function breakAfter(store: RecordStore, counter: { left: number }): RecordStore {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      if (name !== "commit") return value.bind(target);
      return async (...args: unknown[]) => {
        if (counter.left-- <= 0) throw new Fault("transport", "storage node: gone (injected)");
        return value.apply(target, args);
      };
    },
  });
}

describe("holdfast enroll", () => {
  it("leaves an identity, keys and nothing open to others", async () => {
    const { disk } = await enrolled();
    const files = ["identity.json", "device.seed", "tls.pem", "tls-certificate.pem", "tls-root.pem"];
    assert.deepEqual(disk.list("/state"), files.toSorted());
    for (const file of files) assert.equal(disk.stat(`/state/${file}`)?.mode, 0o600, file);
  });

  it("refuses an enrolled folder, and with --force moves it aside only once the node has agreed", async () => {
    const program = await enrolled();
    const before = program.disk.readFile("/state/device.seed", 100);
    assert.equal((await program.run("enroll", INVITE)).code, 2);
    const { enroll } = program.operations;
    program.operations = { ...program.operations, enroll: async () => Promise.reject(new Fault("denied", "invite: unknown, used or expired")) };
    assert.equal((await program.run("enroll", INVITE, "--force")).code, 5);
    assert.deepEqual(program.disk.readFile("/state/device.seed", 100), before);
    program.operations = { ...program.operations, enroll };
    assert.equal((await program.run("enroll", INVITE, "--force")).code, 0);
    assert.notDeepEqual(program.disk.readFile("/state/device.seed", 100), before);
    const aside = program.disk.list("/state")?.find((name) => name.startsWith("old-"));
    assert.deepEqual(program.disk.readFile(`/state/${aside}/device.seed`, 100), before);
  });

  it("shows words for the device and for the storage node's root", async () => {
    const program = createMemoryProgram();
    const { out } = await program.run("enroll", INVITE);
    const words = out.filter((line) => /^Fingerprint of .*: (\w+ ){11}\w+$/.test(line));
    assert.equal(words.length, 2, out.join("\n"));
    assert.notEqual(words[0]?.split(": ")[1], words[1]?.split(": ")[1]);
  });

  it("gives a device whose certificate has ended another one for an invite; its key, vault and slot stay", SLOW, async () => {
    const program = await enrolled();
    assert.equal((await init(program)).code, 0);
    const kept = ["device.seed", "device.slot", "device-slot.seed", "mark.json"];
    const read = (name: string) => bytesToHex(program.disk.readFile(`/state/${name}`, 1e5) ?? new Uint8Array(0));
    const before = kept.map(read);
    const [key, identity] = [read("tls.pem"), read("identity.json")];
    assert.equal((await program.run("enroll", INVITE)).code, 2, "not while it holds");
    program.clock.advance(40 * 86_400_000);
    const { code, out, err } = await program.run("enroll", INVITE);
    assert.equal(code, 0, err.join("\n"));
    assert.match(out[0] ?? "", /has a new certificate, good until/);
    assert.deepEqual(kept.map(read), before);
    assert.notEqual(read("tls.pem"), key);
    assert.equal(read("identity.json"), identity);
    assert.equal((await program.run("enroll", INVITE)).code, 2, "it holds again");
  });

  it("asks the storage node by the device key alone when there is no code", async () => {
    const program = await enrolled();
    let asked = 0;
    program.operations = {
      ...program.operations,
      async reissue() {
        asked++;
        throw new Fault("missing", "storage node: issues no certificates without an invite; get a new invite");
      },
    };
    assert.equal((await program.run("enroll")).code, 2, "its certificate holds");
    assert.equal(asked, 0);
    program.clock.advance(40 * 86_400_000);
    const { code, err } = await program.run("enroll");
    assert.equal(code, 9);
    assert.match(err.join("\n"), /get a new invite/);
    assert.equal(asked, 1);
    assert.equal((await createMemoryProgram().run("enroll")).code, 2, "not enrolled at all");
  });

  it("sends the same keys again after an answer was lost", async () => {
    const program = createMemoryProgram();
    const keys: string[] = [];
    const { enroll } = program.operations;
    program.operations = {
      ...program.operations,
      async enroll(options) {
        keys.push(bytesToHex(options.deviceKey));
        if (keys.length === 1) throw new Fault("transport", "storage node: no answer");
        return enroll(options);
      },
    };
    assert.equal((await program.run("enroll", INVITE)).code, 7);
    assert.equal((await program.run("enroll", INVITE)).code, 0);
    assert.equal(keys[0], keys[1]);
  });

  it("does not start where certificates are not checked", async () => {
    const program = createMemoryProgram();
    program.environment["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    assert.equal((await program.run("enroll", INVITE)).code, 5);
  });
});

describe("holdfast init", () => {
  it("writes genesis, this device, and both slots, and leaves no draft", SLOW, async () => {
    const program = await enrolled();
    const { code, err, out } = await init(program);
    assert.equal(code, 0, err.join("\n"));
    assert.deepEqual(kinds(program), [1, 2, 4, 4]);
    assert.equal(program.disk.stat("/state/init.slot"), null);
    assert.equal(program.disk.stat("/recovery")?.mode, 0o600);
    const words = new TextDecoder().decode(program.disk.readFile("/recovery", 1e4)!).trim();
    assert.equal(words.split(" ").length, 24);
    assert.ok(![...out, ...err].some((line) => line.includes(words)), "the code is in the file alone");
    assert.equal((await init(program)).code, 2);
  });

  it("shows the code once to the person at the terminal", SLOW, async () => {
    const program = await enrolled();
    program.typed.push("correct horse", "correct horse");
    const { code, err, out } = await program.run("init");
    assert.equal(code, 0);
    assert.equal(err.join(" ").match(/\b(?:[a-z]{3,8}\s+){23}[a-z]{3,8}\b/g)?.length, 1);
    assert.ok(!out.join(" ").includes("Recovery code"));
  });

  it("does not start when nobody could keep the recovery code", async () => {
    const program = await enrolled();
    assert.equal((await program.run("init", "--passphrase-file", "/pass")).code, 2);
    assert.equal(program.account.node, null);
  });

  it("goes on after an interruption at any entry, with the same passphrase only", SLOW, async () => {
    for (const passed of [0, 1, 2, 3]) {
      const program = await enrolled();
      program.account.wrap = (store) => breakAfter(store, { left: passed });
      assert.equal((await init(program)).code, 7);
      program.account.wrap = (store) => store;
      assert.deepEqual(kinds(program), [1, 2, 4, 4].slice(0, passed));
      if (passed === 2) assert.equal((await program.run("init", "--passphrase-file", "/wrong", "--recovery-file", "/other")).code, 10);
      assert.equal((await init(program)).code, 0);
      assert.deepEqual(kinds(program), [1, 2, 4, 4], `interrupted after ${passed} entries`);
      assert.equal(program.disk.stat("/state/init.slot"), null);
    }
  });

  it("removes the slot of a recovery code that was perhaps never shown", SLOW, async () => {
    const program = await enrolled();
    // The device slot cannot be written: everything before it is done.
    const { disk } = program;
    const writeFile = disk.writeFile.bind(disk);
    disk.writeFile = (path, bytes, mode) => {
      if (path === "/state/device.slot") throw new Fault("transport", "disk: full (injected)", { detail: { call: "writeFile" } });
      writeFile(path, bytes, mode);
    };
    assert.equal((await init(program)).code, 1);
    disk.writeFile = writeFile;
    const first = disk.readFile("/recovery", 1e4)!;
    assert.equal((await init(program)).code, 0);
    assert.deepEqual(kinds(program), [1, 2, 4, 4, 4, 5]);
    disk.writeFile("/first", first, 0o600);
    assert.equal((await program.run("unlock", "--recovery-file", "/first")).code, 10);
    assert.equal((await program.run("unlock", "--recovery-file", "/recovery")).code, 0);
  });
});

describe("holdfast join, key and status", () => {
  it("join opens the vault on a second device, which may then write", SLOW, async () => {
    const program = await enrolled();
    await init(program);
    const second = (...args: string[]) => program.run(...args, "--state", "/second");
    assert.equal((await second("enroll", INVITE, "--name", "web-2")).code, 0);
    assert.match((await second("init", "--passphrase-file", "/pass", "--recovery-file", "/r2")).err.join(), /holdfast join/);
    assert.equal((await second("join", "--passphrase-file", "/wrong")).code, 10);
    assert.deepEqual((await second("join", "--passphrase-file", "/pass", "--json")).events.at(-1)?.["admitted"], true);
    const status = (await second("status", "--json")).events.at(-1) as { devices: { label: string }[] };
    assert.deepEqual(
      status.devices.map(({ label }) => label),
      ["web-1", "web-2"],
    );
  });

  it("rotate-epoch leaves other devices without keys until they unlock", SLOW, async () => {
    const program = await enrolled();
    await init(program);
    const second = (...args: string[]) => program.run(...args, "--state", "/second");
    await second("enroll", INVITE);
    await second("join", "--passphrase-file", "/pass");
    const used: number[] = [];
    program.operations = {
      ...program.operations,
      async rebuildIndex(session) {
        used.push(session.currentKeys().epoch);
        return { indexes: 0, packs: 0, objects: 0, skipped: 0 };
      },
    };
    assert.equal((await program.run("key", "rotate-epoch", "--recovery-file", "/recovery")).code, 0);
    assert.equal((await program.run("key", "rotate-epoch", "--passphrase-file", "/pass")).code, 0);
    assert.equal((await program.run("rebuild-index")).code, 0);
    const { code, err } = await second("rebuild-index");
    assert.deepEqual([code, /holdfast unlock/.test(err.join())], [9, true]);
    assert.equal((await second("unlock", "--passphrase-file", "/pass")).code, 0);
    assert.equal((await second("rebuild-index")).code, 0);
    assert.deepEqual(used, [2, 2]);
  });

  it("change-passphrase, add and remove do what they say, and the last slot stays", SLOW, async () => {
    const program = await enrolled();
    await init(program);
    assert.equal((await program.run("key", "change-passphrase", "--passphrase-file", "/pass", "--new-passphrase-file", "/wrong")).code, 0);
    assert.equal((await program.run("unlock", "--passphrase-file", "/pass")).code, 10);
    assert.equal((await program.run("unlock", "--passphrase-file", "/wrong")).code, 0);
    const recipient = (await program.run("key", "new-recipient", "/recipient", "--json")).events.at(-1)?.["publicKey"] as string;
    assert.equal((await program.run("key", "add", "recipient", recipient, "--passphrase-file", "/wrong", "--label", "escrow")).code, 0);
    assert.equal((await program.run("unlock", "--recipient-key-file", "/recipient")).code, 0);
    const list = async () => ((await program.run("key", "list", "--json")).events.at(-1) as { slots: { record: string; type: string }[] }).slots;
    for (const { record, type } of await list()) {
      const isLast = type === "recipient key";
      assert.equal((await program.run("key", "remove", record.slice(0, 8), "--recipient-key-file", "/recipient")).code, isLast ? 5 : 0, type);
    }
    assert.deepEqual(
      (await list()).map(({ type }) => type),
      ["recipient key"],
    );
  });

  it("a device that was revoked cannot write", SLOW, async () => {
    const program = await enrolled();
    await init(program);
    const second = (...args: string[]) => program.run(...args, "--state", "/second");
    await second("enroll", INVITE);
    const joined = (await second("join", "--passphrase-file", "/pass", "--json")).events.at(-1) as { deviceKey: string };
    const id = bytesToHex(sha256(Uint8Array.from(joined.deviceKey.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))).slice(0, 8);
    assert.equal((await program.run("device", "revoke", id, "--passphrase-file", "/pass")).code, 0);
    assert.equal((await second("key", "rotate-epoch", "--passphrase-file", "/pass")).code, 5);
  });

  it("status alarms when the head that was seen elsewhere is not in the journal", SLOW, async () => {
    const program = await enrolled();
    await init(program);
    const { head } = (await program.run("status", "--json")).events.at(-1) as { head: { entry: string } };
    assert.equal((await program.run("status", "--expect-head", head.entry.slice(0, 20))).code, 0);
    assert.equal((await program.run("status", "--expect-head", "00".repeat(32))).code, 4);
    assert.equal((await program.run("status", "--expect-head", "0011")).code, 2);
  });

  it("a state file that others can read is refused with what mends it", async () => {
    const program = await enrolled();
    program.disk.writeFile("/state/device.seed", program.disk.readFile("/state/device.seed", 100)!, 0o640);
    const { code, err } = await program.run("status");
    assert.deepEqual(
      [code, err[0]],
      [
        5,
        "holdfast: /state/device.seed: open to others, got mode 0640, want 0600; mend with: chmod 600 /state/device.seed; if others use this machine, enrol afresh",
      ],
    );
  });

  it("a record that the journal names and the node lost is missing, not an alarm", SLOW, async () => {
    const program = await enrolled();
    await init(program);
    const node = program.account.node!;
    const genesis = parseJournalEntry(node.journal[0]!.entry).payload.body as { config: Uint8Array };
    node.records.delete(bytesToHex(asRecordId(genesis.config)));
    program.disk.remove("/state/cache");
    assert.equal((await program.run("snapshots")).code, 9);
  });
});
