import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkCertificate, checkIssuingKey, GATE_MENDS, gateFault } from "./gate.ts";
import { gateCases } from "./testing/gate-cases.ts";

const cases = await gateCases();

describe("the certificate gate", () => {
  for (const { name, input, findings } of cases) {
    it(`${findings.length === 0 ? "lets pass" : "stops"} ${name}`, async () => {
      const found = await checkCertificate(input);
      assert.deepEqual(
        found.map(({ certificate, rule }) => `${certificate} ${rule}`),
        findings,
      );
      for (const { message } of found) assert.match(message, /, got .+, want .+/);
    });
  }

  it("covers every rule with a case that breaks it", () => {
    const broken = new Set(cases.flatMap(({ findings }) => findings.map((finding) => finding.split(" ").at(-1))));
    const rules = ["present", "parse", "chain", "dates", "private-key", "usage", "authority", "path-length", "extension", "name", "revoked", "strength"];
    assert.deepEqual([...broken].sort(), rules.sort());
  });

  it("names the command that mends each finding", async () => {
    const input = { certPem: null, chainPem: "garbage", keyPem: null, rootPem: null, nowMs: 0 } as const;
    const found = await checkCertificate({ ...input, usage: "server" });
    assert.deepEqual(
      found.map(({ mend }) => mend),
      [GATE_MENDS.server.leaf, GATE_MENDS.server.root, GATE_MENDS.server.intermediate, GATE_MENDS.server["private key"]],
    );
    assert.ok((await checkCertificate({ ...input, usage: "client" })).every(({ mend }) => mend.startsWith("holdfast enroll")));
  });

  it("stops an issuing key that is missing or another's", async () => {
    const good = cases.find(({ findings }) => findings.length === 0)?.input;
    const other = cases.find(({ name }) => name === "the private key of another certificate")?.input;
    assert.ok(good?.certPem && good.keyPem && other?.keyPem);
    const rules = async (certPem: string | null, keyPem: string | null): Promise<string[]> =>
      (await checkIssuingKey(certPem, keyPem)).map(({ certificate, rule, mend }) => `${certificate} ${rule}: ${mend}`);
    const mend = GATE_MENDS.server["issuing key"];
    assert.deepEqual(await rules(good.certPem, good.keyPem), []);
    assert.deepEqual(await rules(good.certPem, other.keyPem), [`issuing key private-key: ${mend}`]);
    assert.deepEqual(await rules(good.certPem, "garbage"), [`issuing key parse: ${mend}`]);
    assert.deepEqual(await rules(null, null), [`intermediate 1 present: ${mend}`, `issuing key present: ${mend}`]);
  });

  it("puts all findings into one fault, and no key", async () => {
    const good = cases.find(({ findings }) => findings.length === 0)?.input;
    assert.ok(good?.keyPem);
    const fault = gateFault(await checkCertificate({ ...good, certPem: good.rootPem }));
    assert.equal(fault.code, "certificate");
    assert.match(fault.message, /private key: does not belong.+leaf: an authority is used as a leaf/);
    assert.ok(!fault.message.includes(good.keyPem.slice(40, 80)));
  });

  it("refuses a configured name that is no host name", async () => {
    const good = cases[0]?.input;
    assert.ok(good);
    await assert.rejects(checkCertificate({ ...good, name: "a b" }), { name: "Fault", code: "input" });
  });
});
