import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createIntermediate, createRoot, issueNodeLeaf, parseCertificatePem, recertify } from "./issue.ts";
import { createKeyPair } from "./key.ts";
import { DAY_MS } from "./profiles.ts";
import { checkNextRoot } from "./root-change.ts";
import { NOW_MS, portsAt } from "./testing/authority.ts";

const ports = portsAt(NOW_MS);
const old = await createRoot(ports, "old root");
const next = await createRoot(ports, "new root");
const cross = await recertify(ports, old, next.certificatePem, 90 * DAY_MS);
const signing = await createIntermediate(ports, old, "signing");
const intermediate = await recertify(ports, next, signing.certificatePem, 90 * DAY_MS);
const offer = { root: next.certificatePem, cross, intermediate };

describe("a next root", () => {
  it("is taken when the root that is trusted has signed for it", async () => {
    const root = await checkNextRoot(old.certificatePem, offer, NOW_MS);
    assert.equal(root.pem, next.certificatePem);
    const { notAfterMs, notBeforeMs, isAuthority, pathLength } = await parseCertificatePem(cross);
    assert.deepEqual([notAfterMs - notBeforeMs, isAuthority, pathLength], [90 * DAY_MS, true, 1]);
  });

  it("is refused without the signature of the trusted root", async () => {
    const stranger = await createRoot(ports, "old root");
    const refused: readonly [string, string, { root: string; cross: string }][] = [
      ["signed by another of the same name", old.certificatePem, { ...offer, cross: await recertify(ports, stranger, next.certificatePem, DAY_MS) }],
      ["trusted is another", stranger.certificatePem, offer],
      ["vouches for itself", old.certificatePem, { root: next.certificatePem, cross: next.certificatePem }],
      ["cross certificate for another key", old.certificatePem, { root: stranger.certificatePem, cross }],
      ["the old intermediate as root", old.certificatePem, await intermediateAsRoot()],
    ];
    for (const [what, trusted, { root, cross: other }] of refused) {
      await assert.rejects(checkNextRoot(trusted, { root, cross: other, intermediate }, NOW_MS), { code: "certificate" }, what);
    }
  });

  it("is refused with an intermediate that does not hang from it", async () => {
    await assert.rejects(checkNextRoot(old.certificatePem, { ...offer, intermediate: signing.certificatePem }, NOW_MS), { code: "certificate" });
  });

  it("is refused once its cross certificate has ended", async () => {
    await assert.rejects(checkNextRoot(old.certificatePem, offer, NOW_MS + 91 * DAY_MS), { code: "certificate" });
  });

  it("a leaf is no authority to certify again", async () => {
    const leaf = await issueNodeLeaf(ports, await createIntermediate(ports, old, "i"), await createKeyPair(), ["localhost"]);
    await assert.rejects(recertify(ports, old, leaf, DAY_MS), { code: "certificate" });
  });

  it("an authority certified again keeps name, key and key id, and is bounded as its kind is", async () => {
    const intermediate = await createIntermediate(ports, old, "an intermediate");
    const [before, after] = await Promise.all(
      [intermediate.certificatePem, await recertify(ports, next, intermediate.certificatePem, 9999 * DAY_MS)].map((pem) => parseCertificatePem(pem)),
    );
    assert.deepEqual([after?.subject, after?.spkiHash, after?.subjectKeyId, after?.pathLength], [before?.subject, before?.spkiHash, before?.subjectKeyId, 0]);
    assert.equal((after?.notAfterMs ?? 0) - (after?.notBeforeMs ?? 0), 365 * DAY_MS);
  });
});

/** Somebody who has the key of the intermediate, as a thief of the node has, but not that of the root. */
async function intermediateAsRoot(): Promise<{ root: string; cross: string }> {
  const intermediate = await createIntermediate(ports, old, "an intermediate");
  const own = await createRoot(ports, "own root");
  return { root: own.certificatePem, cross: await recertify(ports, intermediate, own.certificatePem, DAY_MS) };
}
