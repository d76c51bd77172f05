import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, utf8, utf8ToText } from "@holdfast/base";
import { DAY_MS, spkiHashOfCertificate } from "@holdfast/pki";
import { requireIdentity, writeIdentity } from "../state/identity.ts";
import { statePaths } from "../state/state-paths.ts";
import { createMemoryProgram, INVITE, type MemoryProgram, type ProgramResult } from "../testing/memory-program.ts";

const PATHS = statePaths("/state");
const MINUTE_MS = 60_000;

/** Enrolled at a node whose root is the pinned one. */
async function enrolled(): Promise<MemoryProgram> {
  const program = createMemoryProgram();
  const { code, err } = await program.run("enroll", INVITE);
  assert.equal(code, 0, err.join("\n"));
  const root = utf8ToText(program.disk.readFile(PATHS.tlsRoot, 1e5) ?? new Uint8Array(0)) ?? "";
  writeIdentity(program.disk, PATHS, { ...requireIdentity(program.disk, PATHS), rootSpkiSha256: await spkiHashOfCertificate(root) });
  return program;
}

const doctor = (program: MemoryProgram, ...more: string[]): Promise<ProgramResult> => program.run("doctor", "--json", ...more);

/** `status: message` of the checks with `name`. */
function checks({ events }: ProgramResult, name: string): string[] {
  return events.filter((event) => event["event"] === "check" && event["name"] === name).map(({ status, message }) => `${status}: ${message}`);
}

/** One check with `name`, which matches. */
function assertCheck(result: ProgramResult, name: string, pattern: RegExp): void {
  const found = checks(result, name);
  assert.equal(found.length, 1, `${name}: ${found.join(", ")}`);
  assert.match(found[0] ?? "", pattern);
}

describe("holdfast doctor", () => {
  it("finds nothing wrong on an enrolled device but that it has no vault yet", async () => {
    const program = await enrolled();
    const result = await doctor(program);
    assert.equal(result.code, 2);
    const failed = result.events.filter(({ status }) => status === "failed").map(({ name }) => name);
    assert.deepEqual(failed, ["last backup"]);
    for (const name of [
      "runtime",
      "environment",
      "configuration",
      "file modes",
      "room for state",
      "room for cache",
      "key memory",
      "device key",
      "certificate gate",
      "certificate life",
      "storage node",
      "clock",
    ])
      assertCheck(result, name, /^ok: /);
    assertCheck(result, "last verify", /^warning: none on this device/);
  });

  it("ends with 0 once there is a vault with a backup, and warns when that is old", async () => {
    const program = await enrolled();
    program.disk.writeFile("/pass", utf8("correct horse\n"), 0o600);
    assert.equal((await program.run("init", "--passphrase-file", "/pass", "--recovery-file", "/recovery")).code, 0);
    const result = await doctor(program);
    assert.equal(result.code, 0);
    assertCheck(result, "last backup", /^warning: none by this device/);
  });

  it("works without a state folder and without a storage node", async () => {
    const program = createMemoryProgram();
    const result = await doctor(program);
    assert.equal(result.code, 2);
    assertCheck(result, "enrolment", /^failed: .*not enrolled/);
    assertCheck(result, "room for state", /^ok: .*free at \//);
    assert.equal(program.disk.stat("/state"), null, "nothing was made");
  });

  it("names each broken rule of the gate with what mends it, and then dials nothing", async () => {
    const program = await enrolled();
    program.operations = { ...program.operations, connect: async () => assert.fail("dialled") };
    program.clock.advance(31 * DAY_MS);
    const result = await doctor(program);
    assert.equal(result.code, 5);
    assertCheck(result, "certificate gate", /^failed: leaf: expired, got .*, want before .*\(rule dates\)$/);
    assertCheck(result, "storage node", /^warning: not dialled: the certificate gate has not passed/);
    assert.match(String(result.events.find(({ name }) => name === "certificate gate")?.["mend"]), /^holdfast enroll/);
    for (const [path, pattern] of [
      [PATHS.tlsKey, /private key: missing/],
      [PATHS.tlsRoot, /root: missing/],
    ] as const) {
      const good = program.disk.readFile(path, 1e5) ?? new Uint8Array(0);
      program.disk.writeFile(path, utf8(""), 0o600);
      const broken = await doctor(program);
      assert.ok(
        checks(broken, "certificate gate").some((line) => pattern.test(line)),
        path,
      );
      program.disk.writeFile(path, good, 0o600);
    }
  });

  it("warns when a renewal has long been due", async () => {
    const program = await enrolled();
    program.clock.advance(25 * DAY_MS);
    assertCheck(await doctor(program, "--offline"), "certificate life", /^warning: .*its renewal has been due since/);
  });

  it("names files that are open to others, and does not dial with them", async () => {
    const program = await enrolled();
    const key = program.disk.readFile(PATHS.tlsKey, 1e5) ?? new Uint8Array(0);
    program.disk.writeFile(PATHS.tlsKey, key, 0o644);
    const result = await doctor(program);
    assert.equal(result.code, 5);
    assertCheck(result, "file modes", /^failed: \/state\/tls\.pem is open to others: mode 0644, want 0600/);
    assertCheck(result, "storage node", /^warning: not dialled/);
    assert.match(String(result.events.find(({ name }) => name === "file modes")?.["mend"]), /^chmod 600 \/state\/tls\.pem/);
  });

  it("warns when room is scarce, and fails when there is next to none", async () => {
    const program = await enrolled();
    for (const [freeBytes, pattern] of [
      [100 * 1024 ** 2, /^warning: 100 MiB free/],
      [1024 ** 2, /^failed: 1\.00 MiB free at \/state, want at least 64\.0 MiB/],
    ] as const) {
      program.disk.freeBytes = () => freeBytes;
      assertCheck(await doctor(program, "--offline"), "room for state", pattern);
    }
  });

  it("names the key of another device", async () => {
    const program = await enrolled();
    program.disk.writeFile(PATHS.deviceKey, new Uint8Array(32), 0o600);
    assertCheck(await doctor(program, "--offline"), "device key", /^failed: .*key of another device/);
  });

  it("names each variable that weakens TLS, and refuses to dial under the one that switches it off", async () => {
    const program = await enrolled();
    Object.assign(program.environment, { NODE_EXTRA_CA_CERTS: "/x", SSL_CERT_FILE: "/y", DENO_TLS_CA_STORE: "system", SSLKEYLOGFILE: "/z" });
    assert.deepEqual(
      checks(await doctor(program), "environment").map((line) => /^(\w+): (\w+)/.exec(line)?.slice(1, 3).join(" ")),
      ["warning NODE_EXTRA_CA_CERTS", "warning SSL_CERT_FILE", "warning DENO_TLS_CA_STORE", "warning SSLKEYLOGFILE"],
    );
    program.operations = { ...program.operations, connect: async () => assert.fail("dialled") };
    program.environment["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    const result = await doctor(program);
    assert.equal(result.code, 5);
    assert.match(checks(result, "environment")[0] ?? "", /^failed: NODE_TLS_REJECT_UNAUTHORIZED/);
    assertCheck(result, "storage node", /^warning: not dialled/);
  });

  it("tells how far the clocks are apart, also when the storage node refuses because of it", async () => {
    const program = await enrolled();
    const { connect } = program.operations;
    for (const [skewMs, pattern] of [
      [10_000, /^ok: 10 s ahead of/],
      [2 * MINUTE_MS, /^warning: 120 s ahead of/],
      [-6 * MINUTE_MS, /^failed: 360 s behind/],
    ] as const) {
      program.operations = {
        ...program.operations,
        async connect(options) {
          const connection = await connect(options);
          return { ...connection, accountInfo: async () => ({ ...(await connection.accountInfo()), nowMs: program.clock.nowMs() - skewMs }) };
        },
      };
      assertCheck(await doctor(program), "clock", pattern);
    }
    program.operations = {
      ...program.operations,
      connect: async () => Promise.reject(new Fault("denied", "request: clock is off by 400000 ms", { detail: { skewMs: 400_000 } })),
    };
    const refused = await doctor(program);
    assertCheck(refused, "clock", /^failed: 400 s ahead of/);
  });

  it("tells a storage node that cannot be reached from one that has revoked the device", async () => {
    const program = await enrolled();
    for (const [fault, pattern, code] of [
      [new Fault("transport", "storage node node.example:8443: connect ECONNREFUSED"), /^failed: .*ECONNREFUSED/, 7],
      [new Fault("denied", "this device (web-1): was revoked; ask the operator"), /^failed: .*was revoked/, 5],
    ] as const) {
      program.operations = { ...program.operations, connect: async () => Promise.reject(fault) };
      const result = await doctor(program);
      assertCheck(result, "storage node", pattern);
      assert.equal(result.events.find(({ name }) => name === "storage node")?.["status"], "failed");
      assert.ok([2, code].includes(result.code));
    }
  });

  it("names a configuration that cannot be read, and warns of v8r4", async () => {
    const program = await enrolled();
    program.disk.writeFile("/state/holdfast.toml", utf8('tls = "ssl3"\n'), 0o600);
    assertCheck(await doctor(program, "--offline"), "configuration", /^failed: \/state\/holdfast\.toml:1: tls: want modern, intermediate, v8r4$/);
    if ("Deno" in globalThis) return assertCheck(await doctor(program, "--offline", "--tls", "intermediate"), "configuration", /^failed/);
    program.disk.writeFile("/state/holdfast.toml", utf8('tls = "v8r4"\n'), 0o600);
    const result = await doctor(program, "--offline");
    assertCheck(result, "configuration", /^warning: .*v8r4/);
    assert.ok(result.err.some((line) => /^warning: tls profile v8r4/.test(line)));
  });

  it("prints one line a check for people, and the mend under it", async () => {
    const program = createMemoryProgram();
    const { out } = await program.run("doctor");
    assert.ok(
      out.some((line) => /^ok {7}runtime/.test(line)),
      out.join("\n"),
    );
    assert.ok(out.some((line) => /^failed {3}enrolment/.test(line)));
    assert.ok(out.some((line) => /^ {9}mend: .*holdfast enroll CODE/.test(line)));
    const { out: help } = await program.run("doctor", "--help");
    assert.ok(help.join("\n").includes("Examples:"));
  });
});

describe("the tls profile", () => {
  it("comes from the option before the environment before the configuration before modern", async () => {
    const program = await enrolled();
    const seen: string[] = [];
    const { connect } = program.operations;
    program.operations = { ...program.operations, connect: (options) => connect(options).finally(() => seen.push(options.tlsProfile)) };
    await program.run("status");
    program.disk.writeFile("/state/holdfast.toml", utf8('tls = "intermediate"\n'), 0o600);
    await program.run("status");
    program.environment["HOLDFAST_TLS"] = "modern";
    await program.run("status");
    await program.run("status", "--tls", "intermediate");
    assert.deepEqual(seen, ["modern", "intermediate", "modern", "intermediate"]);
    const wrong = await program.run("status", "--tls", "ssl3");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err.join("\n"), /--tls: got "ssl3", want modern, intermediate, v8r4/);
  });

  it("v8r4 warns each time, with --quiet too", async () => {
    const program = await enrolled();
    for (let run = 0; run < 2; run++) {
      const { err } = await program.run("status", "--tls", "v8r4", "--quiet");
      assert.equal(err.filter((line) => /^warning: tls profile v8r4/.test(line)).length, 1);
    }
  });
});
