/** The commands `invite` and `device …`: who may enrol, and who has. The node must be running. */
import type { Command } from "commander";
import { askForDevices, askForInvite, askToRename, askToRevoke } from "../control-node.ts";
import { DataFolder } from "../data-folder.ts";
import { type CommandShell, toByteCount, toDurationMs } from "./command-shell.ts";

interface InviteFlags {
  readonly data: string;
  readonly account: string;
  readonly group?: string;
  readonly edition: string;
  readonly roles: string;
  readonly expires: number;
  readonly quota?: number;
  readonly json?: true;
}

const DAY_MS = 86_400_000;

export function registerInvite(program: Command, { disk, print, printJson, note }: CommandShell): void {
  program
    .command("invite")
    .description("print an invite code for one device; the node must be running")
    .requiredOption("--data <folder>", "folder of the running node")
    .requiredOption("--account <name>", "account of the device; made when it is new")
    .option("--group <name>", "group that the account belongs to; made when it is new")
    .option("--edition <edition>", "dl, se or ese", "ese")
    .option("--roles <roles>", "agent, maintainer, auditor, admin; joined by commas", "agent")
    .option("--expires <duration>", "how long the code is good, as in 30m, 24h, 7d", toDurationMs, DAY_MS)
    .option("--quota <bytes>", "bytes that a new account may store", toByteCount)
    .option("--json", "result as one line of JSON")
    .addHelpText("after", "\nExample:\n  holdfast-node invite --data /srv/holdfast --account ada --group lab --expires 2h")
    .action(async ({ data, account, group, edition, roles, expires, quota, json }: InviteFlags) => {
      const order = { account, edition, roles: roles.split(","), expiresMs: expires, quotaBytes: quota ?? null, ...(group === undefined ? {} : { group }) };
      const answer = await askForInvite(new DataFolder(disk, data).controlPath, order);
      if (json) return printJson(answer);
      print(answer.code);
      note(`Good once, until ${new Date(answer.expiresAtMs).toISOString()}. Root: ${answer.rootWords}`);
    });
}

export function registerDevices(program: Command, { disk, print, printJson }: CommandShell): void {
  const control = (data: string): string => new DataFolder(disk, data).controlPath;
  const device = program.command("device").alias("devices").description("devices of the running node");
  device
    .command("list")
    .description("every device, with its account, roles, and the words that it shows for itself")
    .requiredOption("--data <folder>", "folder of the running node")
    .option("--json", "result as one line of JSON")
    .action(async ({ data, json }: { data: string; json?: true }) => {
      const devices = await askForDevices(control(data));
      if (json) return printJson(devices);
      for (const { device: id, account, label, roles, revokedAtMs, words } of devices) {
        print(`${id}  ${account}  ${roles}  ${label.replace(/\p{C}/gu, "?")}${revokedAtMs === null ? "" : "  revoked"}\n    ${words}`);
      }
    });
  device
    .command("revoke")
    .description("refuse a device from now on, also on open connections")
    .argument("<id>", "id as device list shows it")
    .requiredOption("--data <folder>", "folder of the running node")
    .action(async (id: string, { data }: { data: string }) => {
      await askToRevoke(control(data), id);
      print(`Revoked ${id}. It still knows the keys that it had: change the epoch from another device.`);
    });
  device
    .command("rename")
    .description("give a device another label")
    .argument("<id>", "id as device list shows it")
    .argument("<label>", "what people call it")
    .requiredOption("--data <folder>", "folder of the running node")
    .action(async (id: string, label: string, { data }: { data: string }) => {
      await askToRename(control(data), id, label);
      print(`Renamed ${id}.`);
    });
}
