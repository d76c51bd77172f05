/**
 * Issues a whole private PKI for trying things out on this machine: `npm run certs:dev [host name...]`.
 *
 * A thin wrapper over `@holdfast/pki`. Keys are written unlocked to `certs/out/`, which git ignores; a real installation makes its own
 * with `holdfast-node init` and never uses these.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Clock, Random } from "@holdfast/base";
import { createCsr, createIntermediate, createKeyPair, createRoot, DAY_MS, encodeChain, issueAgentLeaf, issueCrl, issueNodeLeaf } from "@holdfast/pki";

const OUT = join(import.meta.dirname, "out");
const DEVICE_ID_BYTES = 16;

const random: Random = { bytes: (byteCount) => crypto.getRandomValues(new Uint8Array(byteCount)) };
const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: () => Promise.reject(new Error("clock: issuing never waits")),
};

const hostNames = process.argv.length > 2 ? process.argv.slice(2) : ["localhost", "127.0.0.1"];
if (existsSync(OUT)) {
  console.error("certs/out is there already; remove it to start afresh");
  process.exit(1);
}
mkdirSync(OUT, { mode: 0o700 });
for (const [name, pem] of Object.entries(await issueAll())) {
  writeFileSync(join(OUT, name), pem, { mode: name.endsWith("-key.pem") ? 0o600 : 0o644, flag: "wx" });
  console.log(`certs/out/${name}`);
}

/** Every file by its name. */
async function issueAll(): Promise<Record<string, string>> {
  const ports = { clock, random };
  const root = await createRoot(ports, "holdfast dev root");
  const intermediate = await createIntermediate(ports, root, "holdfast dev intermediate");
  const node = await createKeyPair();
  const agent = await createKeyPair();
  const nodePem = await issueNodeLeaf(ports, intermediate, node, hostNames);
  const agentPem = await issueAgentLeaf(ports, intermediate, await createCsr(agent.privateKeyPem), random.bytes(DEVICE_ID_BYTES));
  const emptyList = { number: 1, revoked: [], lifetimeMs: 30 * DAY_MS };
  return {
    "root.pem": root.certificatePem,
    "root-key.pem": root.privateKeyPem,
    "intermediate.pem": intermediate.certificatePem,
    "intermediate-key.pem": intermediate.privateKeyPem,
    "node.pem": encodeChain(nodePem, intermediate.certificatePem),
    "node-key.pem": node.privateKeyPem,
    "agent.pem": encodeChain(agentPem, intermediate.certificatePem),
    "agent-key.pem": agent.privateKeyPem,
    "crl.pem": (await issueCrl(ports, intermediate, emptyList)) + (await issueCrl(ports, root, emptyList)),
  };
}
