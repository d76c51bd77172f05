/** The proofs of the wire: what clients and scanners that are not ours say of the ports, and what rogues get. */
import { readRoot } from "../harness/hand-made-device.ts";
import { skipWithout } from "../harness/needs.ts";
import { createScratch } from "../harness/scratch.ts";
import { StorageNode } from "../harness/storage-node.ts";
import { countRogues, prepareRogues } from "../wire/rogues.ts";
import { type Target, testsslFindings } from "../wire/tls-clients.ts";
import type { Outcome, Proof } from "./proof.ts";
import { testFile } from "./test-file.ts";

const ROGUE_ATTEMPTS = 500;

export const WIRE: readonly Proof[] = [
  { name: "testssl", claim: "testssl finds nothing above INFO on both ports, modern and intermediate", check: testssl },
  {
    name: "protocols",
    claim: "openssl s_client and sslscan: each profile serves exactly its protocols",
    check: () => testFile("integration/src/tls-profiles.test.ts", 4, "profiles"),
  },
  {
    name: "gate",
    claim: "broken certificates keep both ports closed, each with its own message; mending opens them without a restart",
    check: () => testFile("apps/storage-node/src/certificate-gate.test.ts", 12, "set-ups and changes"),
  },
  {
    name: "renewal",
    claim: "a running backup survives a new certificate; a revoked device is cut within 60 s",
    check: () => testFile("integration/src/renewal.test.ts", 2, "backups"),
  },
  {
    name: "roles",
    claim: "every route answers every role as the table says",
    check: () => testFile("apps/storage-node/src/roles.test.ts", 100, "routes and roles"),
  },
  {
    name: "cipher-audit",
    claim: "the audit names each weakness of deliberately weak servers, and finds none in our ports",
    check: () => testFile("apps/storage-node/src/tls-audit", 60, "weak servers, own ports, hostile answers, the next day"),
  },
  {
    name: "audit-trail",
    claim: "a changed, deleted, moved or cut-off row of the audit trail is found and located",
    check: () => testFile("apps/storage-node/src/store/audit-verify.test.ts", 20, "ways of tampering"),
  },
  { name: "rogues", claim: `${ROGUE_ATTEMPTS} tries of each of 13 kinds of rogue, none let in`, check: rogues },
];

async function testssl(): Promise<Outcome> {
  const reason = skipWithout("testssl");
  if (reason !== false) return { holds: null, figure: reason };
  const lines: string[] = [];
  let [checks, found] = [0, 0];
  for (const profile of ["modern", "intermediate"]) {
    using scratch = createScratch("prove-testssl");
    await using node = await StorageNode.start({ folder: scratch.path, serveArgs: ["--agent-tls", profile, "--front-tls", profile] });
    for (const [name, port] of Object.entries({ front: node.frontPort, agent: node.agentPort })) {
      const target: Target = { port, rootPem: readRoot(node), identity: null, scratch: scratch.path };
      const scan = await testsslFindings(target);
      checks += scan.checks;
      found += scan.findings.length;
      lines.push(...scan.findings.map(({ id, severity, finding }) => `${profile} ${name}: ${severity} ${id}: ${finding}`));
    }
  }
  return { holds: found === 0 && checks > 300, figure: `checks ${checks} on 4 ports, findings above INFO ${found}`, detail: lines.join("\n") };
}

async function rogues(): Promise<Outcome> {
  using scratch = createScratch("prove-rogues");
  await using node = await StorageNode.start({ folder: scratch.path });
  using prepared = await prepareRogues(node, scratch.path);
  const before = await prepared.honest();
  const counts = await countRogues(prepared, ROGUE_ATTEMPTS);
  const after = await prepared.honest();
  const accepted = counts.reduce((sum, count) => sum + count.accepted, 0);
  return {
    holds: accepted === 0 && before && after,
    figure: `attempts ${counts.reduce((sum, count) => sum + count.attempts, 0)} of ${counts.length} kinds, accepted ${accepted}; the honest device is let in before and after: ${before && after}`,
    detail: counts.map(({ kind, attempts, accepted: some }) => `${kind}: ${some} of ${attempts}`).join("\n"),
  };
}
