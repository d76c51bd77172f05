/** The certificate gate as `holdfast doctor` shows it: every rule that is broken, and when the next renewal comes. */
import { equalBytes, isFault } from "@holdfast/base";
import { spkiHashOfCertificate } from "@holdfast/pki";
import { EXIT_CODES, exitCodeOf } from "../cli/exit-codes.ts";
import type { Run } from "../cli/run.ts";
import { formatTime } from "../cli/sizes.ts";
import { readDeviceSigner } from "../session/device-keys.ts";
import { renewalDueMs } from "../session/renew-certificate.ts";
import { gateFindings, passGate, readTlsFiles, type TlsFiles } from "../session/tls-files.ts";
import type { Identity } from "../state/identity.ts";
import { type Check, failed, ok, warning } from "./check.ts";

const NAME = "certificate gate";
const DAY_MS = 86_400_000;

/** One line for each broken rule; empty `files` then, and nothing may be dialled. Changes nothing on disk. */
export async function checkGate(run: Pick<Run, "ports" | "paths">, identity: Identity): Promise<{ readonly checks: Check[]; readonly passed: boolean }> {
  const { ports, paths } = run;
  try {
    const files = await passGate(ports, paths, { mayMend: false });
    if (!equalBytes(await spkiHashOfCertificate(files.rootPem), identity.rootSpkiSha256)) {
      const message = `root: ${paths.tlsRoot} is not the root that the invite pinned`;
      return { checks: [failed(NAME, message, "holdfast enroll CODE --force", EXIT_CODES.refused)], passed: false };
    }
    return { checks: [ok(NAME, "every rule holds"), checkLife(files, identity, ports.clock.nowMs())], passed: true };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { checks: await brokenRules(run, error.message), passed: false };
  }
}

/** The key behind every signature of this device. */
export function checkDeviceKey({ ports, paths }: Pick<Run, "ports" | "paths">, identity: Identity): Check {
  try {
    readDeviceSigner(ports.disk, paths, identity);
    return ok("device key", "is that of the enrolled device");
  } catch (error) {
    if (!isFault(error)) throw error;
    return failed("device key", error.message, "holdfast enroll CODE --force", exitCodeOf(error));
  }
}

async function brokenRules({ ports, paths }: Pick<Run, "ports" | "paths">, otherwise: string): Promise<Check[]> {
  try {
    const findings = await gateFindings(ports, readTlsFiles(ports.disk, paths));
    if (findings.length > 0) return findings.map(({ message, rule, mend }) => failed(NAME, `${message} (rule ${rule})`, mend, EXIT_CODES.refused));
  } catch (error) {
    if (!isFault(error)) throw error;
  }
  return [failed(NAME, otherwise, "see file modes above", EXIT_CODES.refused)];
}

function checkLife(files: TlsFiles, { device }: Identity, nowMs: number): Check {
  const dueMs = renewalDueMs(files, device);
  const text = `good until ${formatTime(files.notAfterMs)}, ${Math.floor((files.notAfterMs - nowMs) / DAY_MS)} days`;
  if (nowMs < dueMs + DAY_MS) return ok("certificate life", `${text}; renewed from ${formatTime(dueMs)} on`);
  return warning("certificate life", `${text}; its renewal has been due since ${formatTime(dueMs)}`, "holdfast backup, which renews it");
}
