/** `holdfast device`: admitting further devices, and revoking lost ones. */
import { bytesToHex, Fault, hexToBytes, utf8 } from "@holdfast/base";
import { asSigningPublicKey, deviceIdOf } from "@holdfast/crypto";
import { fingerprintWords } from "@holdfast/pki";
import { type JournalDevice, LABEL_BYTES_MAX, ROLES, type Role, shortHex } from "@holdfast/protocol";
import { readPersonSecret, type SecretOptions } from "../cli/passphrase.ts";
import type { Registry, Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { withSecretOptions } from "../cli/secret-options.ts";

interface AdmitOptions extends SecretOptions {
  readonly label?: string;
  readonly role?: readonly string[];
}

interface RevokeOptions extends SecretOptions {
  readonly badSince?: string;
}

const ID_DIGITS_MIN = 4;

export function registerDevice({ program, action }: Registry): void {
  const device = program
    .command("device")
    .summary("admit or revoke devices of the vault")
    .description("Admits further devices to the vault's journal, and revokes lost ones. holdfast status lists them.")
    .addHelpText("after", "\nExamples:\n  holdfast device admit 8c1d…e4 --label web-2\n  holdfast device revoke 39d7bd2e --bad-since 120");
  const collect = (role: string, before: readonly string[] = []): readonly string[] => [...before, role];
  const admit = withSecretOptions(device.command("admit"))
    .summary("admit a device by its key")
    .description("Lets a device write to the vault. Its key is what holdfast join printed there.")
    .argument("<key>", "device key, 64 hexadecimal digits")
    .requiredOption("--label <label>", "what people call the device")
    .option("--role <role>", "agent, maintainer or auditor; may be given again (default: agent)", collect);
  action<AdmitOptions>(admit, admitDevice);
  const revoke = withSecretOptions(device.command("revoke"))
    .summary("revoke a device")
    .description(
      "Nothing that the device writes from now on counts. Have the operator revoke its certificate too, and rotate the keys: holdfast key rotate-epoch.",
    )
    .argument("<id>", "device, as holdfast status shows it")
    .option("--bad-since <seq>", "distrust for dedup what it wrote from this journal entry on");
  action<RevokeOptions>(revoke, revokeDevice);
}

async function admitDevice(run: Run, options: AdmitOptions, [hex]: readonly string[]): Promise<undefined> {
  const bytes = hexToBytes(hex as string);
  if (bytes?.length !== 32) throw new Fault("input", "device key: want 64 hexadecimal digits, as holdfast join printed them");
  const deviceKey = asSigningPublicKey(bytes);
  const label = options.label as string;
  if (label === "" || utf8(label).length > LABEL_BYTES_MAX) throw new Fault("input", `--label: want 1 to ${LABEL_BYTES_MAX} bytes`);
  const roles = (options.role ?? ["agent"]).map(checkedRole);
  using _lock = run.lock();
  await using vault = await run.openVault();
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  await vault.link.append(() => ({ body: { kind: 2, deviceKey, roles: [...new Set(roles)], label }, additions: [], drops: [] }), owner.signer);
  const id = deviceIdOf(deviceKey);
  run.report("device-admitted", { device: bytesToHex(id), roles, label }, [
    `Device ${shortHex(id)} admitted as ${safeText(label)}.`,
    `Fingerprint: ${fingerprintWords(id)}`,
    "Compare the words with what holdfast status shows on that device.",
  ]);
}

async function revokeDevice(run: Run, options: RevokeOptions, [id]: readonly string[]): Promise<undefined> {
  const badSince = options.badSince === undefined ? null : Number(options.badSince);
  if (badSince !== null && (!Number.isSafeInteger(badSince) || badSince < 0)) throw new Fault("input", "--bad-since: want the number of a journal entry");
  using _lock = run.lock();
  await using vault = await run.openVault();
  const device = findDevice([...vault.link.state().devices.values()], id as string);
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  await vault.link.append(() => ({ body: { kind: 3, device: device.id, badSince }, additions: [], drops: [] }), owner.signer);
  run.report("device-revoked", { device: bytesToHex(device.id), badSince }, [
    `Device ${shortHex(device.id)} (${safeText(device.label)}) revoked. Next: holdfast key rotate-epoch`,
  ]);
}

function checkedRole(role: string): Role {
  if (!Object.hasOwn(ROLES, role)) throw new Fault("input", `--role: got ${JSON.stringify(role)}, want ${Object.keys(ROLES).join(", ")}`);
  return role as Role;
}

function findDevice(devices: readonly JournalDevice[], id: string): JournalDevice {
  const wanted = id.toLowerCase();
  if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < ID_DIGITS_MIN)
    throw new Fault("input", `device: got ${JSON.stringify(id)}, want at least ${ID_DIGITS_MIN} hexadecimal digits, as holdfast status shows them`);
  const found = devices.filter((device) => bytesToHex(device.id).startsWith(wanted));
  const [first, second] = found;
  if (first === undefined) throw new Fault("missing", `device: none begins with ${wanted}; see holdfast status`);
  if (second !== undefined) throw new Fault("input", `device: ${found.length} begin with ${wanted}; give more digits`);
  return first;
}
