import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Fault, utf8 } from "@holdfast/base";
import { createCsr, createKeyPair } from "@holdfast/pki";
import { createFakeClock, createFaultDisk, createSeededRandom, testId } from "@holdfast/testkit";
import { statePaths } from "../state/state-paths.ts";
import { createMemoryAuthority } from "../testing/memory-authority.ts";
import { type FoundFiles, passGate } from "./tls-files.ts";

const PATHS = statePaths("/state");
const DAY_MS = 86_400_000;

/** A state folder with good files, its clock, and the files of a stranger's authority. */
async function setUp() {
  const ports = { clock: createFakeClock(), random: createSeededRandom(5), disk: createFaultDisk() };
  const filesOf = async (): Promise<Record<keyof FoundFiles, string>> => {
    const { privateKeyPem } = await createKeyPair();
    const { certificate, root } = await createMemoryAuthority(ports).issue(await createCsr(privateKeyPem), testId("device").slice(0, 16));
    return { keyPem: privateKeyPem, chainPem: certificate, rootPem: root };
  };
  const good = await filesOf();
  const other = await filesOf();
  ports.disk.makeFolder("/state", 0o700);
  const write = ({ keyPem, chainPem, rootPem }: FoundFiles): void => {
    for (const [path, text] of [
      [PATHS.tlsKey, keyPem],
      [PATHS.tlsCertificate, chainPem],
      [PATHS.tlsRoot, rootPem],
    ] as const) {
      ports.disk.remove(path);
      if (text !== null) ports.disk.writeFile(path, utf8(text), 0o600);
    }
  };
  return { ports, good, other, write };
}

const withLineEnds = (text: string): string => text.replaceAll("\n", "\r\n");
const cutShort = (text: string): string => text.slice(0, text.length / 3);

describe("the certificate gate of the state folder", () => {
  it("passes good files, with Windows line ends too", async () => {
    const { ports, good, write } = await setUp();
    write(good);
    const { notAfterMs } = await passGate(ports, PATHS, { mayMend: false });
    assert.ok(notAfterMs > ports.clock.nowMs());
    write({ keyPem: withLineEnds(good.keyPem), chainPem: withLineEnds(good.chainPem), rootPem: withLineEnds(good.rootPem) });
    assert.equal((await passGate(ports, PATHS, { mayMend: false })).notAfterMs, notAfterMs);
  });

  it("refuses each broken file, naming certificate, rule, values and the command that mends it", async () => {
    const { ports, good, other, write } = await setUp();
    const cases: readonly (readonly [what: string, files: Partial<FoundFiles>, message: RegExp])[] = [
      ["no certificate", { chainPem: null }, /leaf: missing, got nothing, want a PEM file \(rule present; mend: holdfast enroll/],
      ["no key", { keyPem: null }, /private key: missing.*rule present/],
      ["no root", { rootPem: null }, /root: missing.*rule present/],
      ["an empty certificate", { chainPem: "" }, /leaf: missing.*rule present/],
      ["an empty key", { keyPem: "" }, /private key: missing.*rule present/],
      ["an empty root", { rootPem: "\n" }, /root: missing.*rule present/],
      ["a certificate that is cut short", { chainPem: cutShort(good.chainPem) }, /leaf: does not parse.*rule parse/],
      ["a key that is cut short", { keyPem: cutShort(good.keyPem) }, /private key: does not parse.*rule parse/],
      ["a root that is cut short", { rootPem: cutShort(good.rootPem) }, /root: does not parse.*rule parse/],
      ["bytes that are no text", { rootPem: "\u0000\u0001" }, /root: does not parse/],
      ["the key of another certificate", { keyPem: other.keyPem }, /private key: does not belong to the certificate.*rule private-key/],
      ["another root", { rootPem: other.rootPem }, /signature does not verify|does not lead to our root/],
      ["another certificate", { chainPem: other.chainPem }, /private key: does not belong/],
      ["the root in place of the leaf", { chainPem: good.rootPem }, /an authority is used as a leaf/],
    ];
    for (const [what, change, message] of cases) {
      write({ ...good, ...change });
      const fault = await passGate(ports, PATHS, { mayMend: true }).then(
        () => assert.fail(`${what} passes`),
        (error: Fault) => error,
      );
      assert.equal(fault.code, "certificate", what);
      assert.match(fault.message, message, what);
      assert.match(fault.message, /mend: holdfast enroll/, what);
      assert.ok(!fault.message.includes(good.keyPem.slice(40, 80)), "no key in a message");
    }
  });

  it("refuses a certificate that is not valid yet, and one that has ended", async () => {
    const { ports, good, write } = await setUp();
    write(good);
    ports.clock.advance(31 * DAY_MS);
    await assert.rejects(passGate(ports, PATHS, { mayMend: true }), {
      code: "certificate",
      message: /leaf: expired, got .*, want before .*\(rule dates; mend: holdfast enroll/,
    });
    ports.clock.advance(-60 * DAY_MS);
    await assert.rejects(passGate(ports, PATHS, { mayMend: true }), { code: "certificate", message: /leaf: not valid yet.*rule dates/ });
  });

  it("refuses files that others can read", async () => {
    const { ports, good, write } = await setUp();
    write(good);
    ports.disk.writeFile(PATHS.tlsKey, utf8(good.keyPem), 0o640);
    await assert.rejects(passGate(ports, PATHS, { mayMend: true }), { code: "denied", message: /chmod 600/ });
  });
});
