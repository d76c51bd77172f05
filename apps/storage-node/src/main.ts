/**
 * The storage node's program: the composition root. It gives the commands their clock, randomness, disk and streams,
 * and turns what they throw into a message and an exit code.
 */
import { readFileSync } from "node:fs";
import { Fault, type FaultCode, isFault } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { type CertificateResult, issueIntermediate, issueLeaf, issueRootList } from "./commands/certificate.ts";
import { init } from "./commands/init.ts";
import { serve } from "./commands/serve.ts";
import { askForDevices, askForInvite, askToRevoke } from "./control-node.ts";
import { DataFolder } from "./data-folder.ts";
import { createLog } from "./log.ts";
import { RESERVE_BYTES_DEFAULT } from "./store/store.ts";

const EXIT_CODES: Readonly<Partial<Record<FaultCode, number>>> = { input: 2, certificate: 3, conflict: 4, missing: 5, denied: 6, quota: 7 };
const EXIT_HELP = `
Exit codes: 0 done · 1 a failure that fits none of the others · 2 wrong arguments · 3 certificates do not pass the gate ·
4 in use, or there already · 5 something is missing · 6 not allowed · 7 no room`;

const disk = createNodeDisk();
const clock = createSystemClock();
const random = createSystemRandom();

const program = new Command("holdfast-node")
  .description("Storage node of Holdfast: keeps sealed records for agents and cannot read them.")
  .version("0.1.0")
  .exitOverride()
  .configureHelp({ sortSubcommands: true })
  .addHelpText(
    "after",
    `\nExamples:\n  holdfast-node init --data /srv/holdfast --name backup.example.org\n  holdfast-node serve --data /srv/holdfast\n  holdfast-node invite --data /srv/holdfast --account ada\n${EXIT_HELP}`,
  );

program
  .command("init")
  .description("make the keys, certificates and data folder of a new node")
  .requiredOption("--data <folder>", "folder to set up: empty or not there yet")
  .option("--name <host>", "name or address that agents dial; may be given again, the first goes into invites", collect, [])
  .option("--passphrase-file <file>", "passphrase that locks the root's key; without it one is drawn and shown once")
  .option("--json", "result as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node init --data /srv/holdfast --name backup.example.org --passphrase-file /etc/holdfast/root-passphrase")
  .action(async (options: { data: string; name: string[]; passphraseFile?: string; json?: true }) => {
    const passphrase = options.passphraseFile === undefined ? null : readPassphrase(options.passphraseFile);
    const result = await init({ disk, clock, random, data: options.data, hostNames: options.name, passphrase });
    if (options.json) return printJson(result);
    print(`Storage node made in ${result.data} for ${result.hostNames.join(", ")}.`);
    print(`Root key hash:  ${result.rootSpkiSha256}\nNode key:       ${result.nodeKey}`);
    if (result.rootPassphrase !== undefined)
      print(`Root passphrase: ${result.rootPassphrase}\nWrite it down now; it is kept nowhere. It is needed once a year, for a new intermediate.`);
    print(`Next: holdfast-node serve --data ${result.data}`);
  });

program
  .command("serve")
  .description("open the ports and run until SIGTERM or SIGINT")
  .requiredOption("--data <folder>", "folder that init made")
  .option("--listen <host>", "address to listen on", "0.0.0.0")
  .option("--agent-port <port>", "port for agents, 0 for any", toPort, 8443)
  .option("--front-port <port>", "port for enrolment, 0 for any", toPort, 8444)
  .option("--reserve <bytes>", "free disk space that uploads leave alone", toByteCount, RESERVE_BYTES_DEFAULT)
  .option("--json", "the chosen ports as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node serve --data /srv/holdfast --listen 127.0.0.1 --agent-port 0 --front-port 0 --json")
  .action(async (options: { data: string; listen: string; agentPort: number; frontPort: number; reserve: number; json?: true }) => {
    const { data, listen: listenHost, agentPort, frontPort, reserve: reserveBytes } = options;
    const log = createLog(clock, (line) => process.stderr.write(line));
    await serve({
      ...{ disk, clock, random, log, data, listenHost, agentPort, frontPort, reserveBytes },
      environment: process.env,
      signal: stopSignal(),
      onReady(ports) {
        if (options.json) printJson({ ...ports, host: ports.hostNames[0] });
        else print(`Serving agents on port ${ports.agentPort} and enrolment on port ${ports.frontPort} of ${listenHost}.`);
      },
    });
  });

program
  .command("invite")
  .description("print an invite code for one device; the node must be running")
  .requiredOption("--data <folder>", "folder of the running node")
  .requiredOption("--account <name>", "account of the device; made when it is new")
  .option("--edition <edition>", "dl, se or ese", "ese")
  .option("--roles <roles>", "agent, maintainer, auditor, admin; joined by commas", "agent")
  .option("--expires <duration>", "how long the code is good, as in 30m, 24h, 7d", toDurationMs, 24 * 3_600_000)
  .option("--quota <bytes>", "bytes that a new account may store", toByteCount)
  .option("--json", "result as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node invite --data /srv/holdfast --account ada --expires 2h")
  .action(async (options: { data: string; account: string; edition: string; roles: string; expires: number; quota?: number; json?: true }) => {
    const order = {
      account: options.account,
      edition: options.edition,
      roles: options.roles.split(","),
      expiresMs: options.expires,
      quotaBytes: options.quota ?? null,
    };
    const answer = await askForInvite(new DataFolder(disk, options.data).controlPath, order);
    if (options.json) printJson(answer);
    else print(answer.code);
  });

const device = program.command("device").description("devices of the running node");

device
  .command("list")
  .description("every device, with its account and roles")
  .requiredOption("--data <folder>", "folder of the running node")
  .option("--json", "result as one line of JSON")
  .action(async (options: { data: string; json?: true }) => {
    const devices = await askForDevices(new DataFolder(disk, options.data).controlPath);
    if (options.json) return printJson(devices);
    for (const { device: id, account, label, roles, revokedAtMs } of devices)
      print(`${id}  ${account}  ${roles}  ${label}${revokedAtMs === null ? "" : "  revoked"}`);
  });

device
  .command("revoke")
  .description("refuse a device from now on, also on open connections")
  .argument("<id>", "id as device list shows it")
  .requiredOption("--data <folder>", "folder of the running node")
  .action(async (id: string, options: { data: string }) => {
    await askToRevoke(new DataFolder(disk, options.data).controlPath, id);
    print(`Revoked ${id}. It still knows the keys that it had: change the epoch from another device.`);
  });

const certificate = program.command("certificate").description("mend what the certificate gate finds; the node must be stopped");

certificate
  .command("issue")
  .description("a fresh key and certificate for the node")
  .requiredOption("--data <folder>", "folder of the node")
  .option("--json", "result as one line of JSON")
  .action(async (options: { data: string; json?: true }) => tellCertificate(await issueLeaf({ disk, clock, random, data: options.data }), options.json));

certificate
  .command("intermediate")
  .description("a fresh intermediate, once a year; needs the root's passphrase")
  .requiredOption("--data <folder>", "folder of the node")
  .requiredOption("--passphrase-file <file>", "passphrase of the root's key")
  .option("--json", "result as one line of JSON")
  .action(async (options: { data: string; passphraseFile: string; json?: true }) =>
    tellCertificate(await issueIntermediate({ disk, clock, random, data: options.data }, readPassphrase(options.passphraseFile)), options.json),
  );

certificate
  .command("crl")
  .description("a fresh revocation list of the root, once a year; needs the root's passphrase")
  .requiredOption("--data <folder>", "folder of the node")
  .requiredOption("--passphrase-file <file>", "passphrase of the root's key")
  .option("--json", "result as one line of JSON")
  .action(async (options: { data: string; passphraseFile: string; json?: true }) =>
    tellCertificate(await issueRootList({ disk, clock, random, data: options.data }, readPassphrase(options.passphraseFile)), options.json),
  );

certificate
  .command("root")
  .description("why a root is not replaced in place")
  .allowUnknownOption()
  .action(() => {
    throw new Fault("input", "root: every invite and every device is pinned to it; make a new node with holdfast-node init and enroll the devices there");
  });

try {
  await program.parseAsync();
  process.exit(0);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2); // It has printed its message.
  if (!isFault(error)) throw error;
  process.stderr.write(`holdfast-node: ${error.message}\n`);
  process.exit(EXIT_CODES[error.code] ?? 1);
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1); // Asked twice: somebody is in a hurry. What was acknowledged is durable.
    controller.abort();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  return controller.signal;
}

function readPassphrase(path: string): string {
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new Fault("missing", `passphrase file: cannot be read, got ${path}`, { cause });
  }
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("want 0 to 65535");
  return port;
}

function toByteCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("want a number of bytes");
  return Number(text);
}

function toDurationMs(text: string): number {
  const match = /^(\d{1,4})([mhd])$/.exec(text);
  if (match === null) throw new InvalidArgumentError("want a duration as in 30m, 24h, 7d");
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as "m" | "h" | "d"];
  return Number(match[1]) * unitMs;
}

function tellCertificate(result: CertificateResult, json: true | undefined): void {
  if (json) printJson(result);
  else print(`New certificate: ${result.certificate}, valid until ${result.validUntil}.`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
