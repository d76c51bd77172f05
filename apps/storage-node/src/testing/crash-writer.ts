/**
 * Writes to a store until it is killed, or finished: for tests that kill it. Arguments: folder, upload count.
 * One line a step goes out before it is asked for (`try HEX…`) and after it was acknowledged (`stored HEX…`,
 * `committed HEX`), or `refused CODE`; `ready` once the store is open.
 */
import { writeSync } from "node:fs";
import { bytesToHex } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { asLeaseId, asRecordId, RECORD_KINDS } from "@holdfast/protocol";
import { CRASH_LEASE, openCrashVault } from "./crash-vault.ts";
import { randomFrame, type TestFrame } from "./vault-fixture.ts";

const [folder = "", uploadCount = "0"] = process.argv.slice(2);

function tell(line: string): void {
  writeSync(1, `${line}\n`); // Not buffered: what is told is told before a kill.
}

const vault = await openCrashVault(folder);
tell("ready");
for (let count = 0; count < Number(uploadCount); count++) {
  const frames: TestFrame[] = [
    randomFrame(RECORD_KINDS.contentPack, 2_200_000),
    randomFrame(RECORD_KINDS.contentIndex, 5000),
    randomFrame(RECORD_KINDS.snapshot, 300),
  ];
  const ids = frames.map((frame) => frame.id);
  try {
    await vault.put(frames, { lease: asLeaseId(CRASH_LEASE) });
    tell(`stored ${ids.map(bytesToHex).join(" ")}`);
    const entry = vault.account.sign(vault.account.snapshot(ids[2] as (typeof ids)[0], { count: 3, additions: ids }));
    const receipt = await vault.commitBytes(entry, ids);
    vault.account.accept(entry, receipt, vault.nodeSigner.publicKey);
    tell(`committed ${bytesToHex(asRecordId(sha256(entry)))}`);
  } catch (error) {
    tell(`refused ${(error as { code?: string }).code ?? String(error)}`);
  }
}
await vault.store.close();
tell("closed");
process.exit(0);
