/**
 * The storage node's program: the composition root. It gives the commands their clock, randomness, disk and streams,
 * and turns what they throw into a message and an exit code.
 */
import { readFileSync } from "node:fs";
import { Fault, type FaultCode, isFault } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { asTlsProfileName } from "@holdfast/pki";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { auditExport, auditLine, auditList, auditVerify, parseSince } from "./commands/audit.ts";
import { registerCa, registerCertificate } from "./commands/certificate-program.ts";
import { type CommandShell, toByteCount } from "./commands/command-shell.ts";
import { registerDevices, registerInvite } from "./commands/device-program.ts";
import { checkLine, examine } from "./commands/doctor.ts";
import { init } from "./commands/init.ts";
import { serve } from "./commands/serve.ts";
import { tlsAudit, tlsAuditLines } from "./commands/tls-audit.ts";
import { readServeSettings, SERVE_DEFAULTS, type ServeSettings } from "./config/node-config.ts";
import { createLog } from "./log.ts";
import { RESERVE_BYTES_DEFAULT } from "./store/store.ts";

type ServeFlags = { data: string; config?: string; listen?: string; reserve: number; exitIfClosed?: true; json?: true } & Partial<
  Omit<ServeSettings, "listenHost">
>;

const EXIT_CODES: Readonly<Partial<Record<FaultCode, number>>> = { input: 2, certificate: 3, conflict: 4, missing: 5, denied: 6, quota: 7, integrity: 8 };
const EXIT_HELP = `
Exit codes: 0 done · 1 a failure that fits none of the others · 2 wrong arguments · 3 certificates do not pass the gate ·
4 in use, or there already · 5 something is missing · 6 not allowed · 7 no room ·
8 what is stored fails its proof`;

const disk = createNodeDisk();
const clock = createSystemClock();
const random = createSystemRandom();
const note = (text: string): void => void process.stderr.write(`${text}\n`);
const shell: CommandShell = { disk, clock, random, print, printJson, note, readPassphrase };

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
  .option("--crl-url <url>", "where others find the revocation lists, if not at port 8444 of the first name")
  .option("--passphrase-file <file>", "passphrase that locks the root's key; without it one is drawn and shown once")
  .option("--root-key-out <file>", "where to put the root's locked key, off the data folder")
  .option("--json", "result as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node init --data /srv/holdfast --name backup.example.org --passphrase-file /etc/holdfast/root-passphrase")
  .action(async (options: { data: string; name: string[]; passphraseFile?: string; rootKeyOut?: string; crlUrl?: string; json?: true }) => {
    const passphrase = options.passphraseFile === undefined ? null : readPassphrase(options.passphraseFile);
    const result = await init({
      disk,
      clock,
      random,
      data: options.data,
      hostNames: options.name,
      passphrase,
      rootKeyOutPath: options.rootKeyOut,
      ...(options.crlUrl === undefined ? {} : { crlUrl: options.crlUrl }),
    });
    if (options.json) return printJson(result);
    print(`Storage node made in ${result.data} for ${result.hostNames.join(", ")}.`);
    print(`Root key hash:  ${result.rootSpkiSha256}\nRoot words:     ${result.rootWords}\nNode key:       ${result.nodeKey}`);
    if (result.rootPassphrase !== undefined)
      print(`Root passphrase: ${result.rootPassphrase}\nWrite it down now; it is kept nowhere. It is needed once a year, for a new intermediate.`);
    print(`Next: holdfast-node serve --data ${result.data}`);
  });

program
  .command("serve")
  .description("open the ports and run until SIGTERM or SIGINT")
  .requiredOption("--data <folder>", "folder that init made")
  .option("--config <file>", "settings, instead of holdfast-node.toml in the data folder; flags win over it")
  .option("--listen <host>", `address to listen on (default: "${SERVE_DEFAULTS.listenHost}")`)
  .option("--agent-port <port>", `port for agents, 0 for any (default: ${SERVE_DEFAULTS.agentPort})`, toPort)
  .option("--front-port <port>", `port for enrolment, 0 for any (default: ${SERVE_DEFAULTS.frontPort})`, toPort)
  .option("--agent-tls <policy>", `TLS policy for agents: modern, intermediate or v8r4 (default: "${SERVE_DEFAULTS.agentTls}")`, asTlsProfileName)
  .option("--front-tls <policy>", `TLS policy for enrolment (default: "${SERVE_DEFAULTS.frontTls}")`, asTlsProfileName)
  .option("--exit-if-closed", "end with exit code 3 when the certificates do not pass the gate, instead of waiting for them to be mended")
  .option("--reserve <bytes>", "free disk space that uploads leave alone", toByteCount, RESERVE_BYTES_DEFAULT)
  .option("--json", "the chosen ports as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node serve --data /srv/holdfast --listen 127.0.0.1 --agent-port 0 --front-port 0 --json")
  .action(async (options: ServeFlags) => {
    const { data, reserve: reserveBytes, config, listen: listenHost, agentPort, frontPort, agentTls, frontTls } = options;
    const settings = readServeSettings(disk, data, config);
    const flags = Object.fromEntries(Object.entries({ listenHost, agentPort, frontPort, agentTls, frontTls }).filter(([, value]) => value !== undefined));
    const log = createLog(clock, (line) => process.stderr.write(line));
    const chosen = { ...settings, ...flags };
    await serve({
      ...{ disk, clock, random, log, data, reserveBytes, exitIfClosed: options.exitIfClosed === true, ...chosen },
      environment: process.env,
      signal: stopSignal(),
      onReady(ports) {
        if (options.json) printJson({ ...ports, host: ports.hostNames[0] });
        else print(`Serving agents on port ${ports.agentPort} and enrolment on port ${ports.frontPort} of ${chosen.listenHost}.`);
      },
    });
  });

program
  .command("doctor")
  .description("look for what keeps the node from serving safely; changes nothing")
  .requiredOption("--data <folder>", "folder of the node; it may be running")
  .option("--json", "result as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node doctor --data /srv/holdfast\nExit code 3 when a check fails; warnings and notes leave it at 0.")
  .action(async (options: { data: string; json?: true }) => {
    const checks = await examine({ disk, clock, random, data: options.data, environment: process.env, runtime: process.versions });
    if (options.json) printJson({ checks });
    else for (const check of checks) print(checkLine(check));
    if (checks.some(({ status }) => status === "failed")) process.exit(EXIT_CODES.certificate);
  });

registerInvite(program, shell);
registerDevices(program, shell);

const audit = program.command("audit").description("the audit trail: who did what, from where; the node may be running or stopped");

audit
  .command("list")
  .description("the newest rows, oldest first")
  .requiredOption("--data <folder>", "folder of the node")
  .option("--since <time>", "rows from then on: an age as in 24h or 7d, or a date as in 2026-01-31")
  .option("--action <action>", "rows of one action only, as in revoke or refused")
  .option("--limit <count>", "at most so many", toByteCount, 100)
  .option("--json", "result as one line of JSON")
  .addHelpText("after", "\nExample:\n  holdfast-node audit list --data /srv/holdfast --since 24h --action refused")
  .action(async (options: { data: string; since?: string; action?: string; limit: number; json?: true }) => {
    const since = options.since === undefined ? {} : { sinceMs: parseSince(options.since, clock.nowMs()) };
    const action = options.action === undefined ? {} : { action: options.action };
    const rows = await auditList({ disk, data: options.data }, { ...since, ...action, countMax: options.limit });
    if (options.json) return printJson(rows);
    for (const row of rows) print(auditLine(row));
  });

audit
  .command("export")
  .description("every row to standard output, one line of JSON each")
  .requiredOption("--data <folder>", "folder of the node")
  .action((options: { data: string }) => auditExport({ disk, data: options.data }, writeWhole));

audit
  .command("verify")
  .description("recompute the chain of rows and compare it with the head that the node key signed")
  .requiredOption("--data <folder>", "folder of the node")
  .option("--expect <head>", "a head that an earlier run printed, as SEQ:HASH: finds an older trail put back")
  .option("--json", "result as one line of JSON")
  .addHelpText(
    "after",
    "\nExample:\n  holdfast-node audit verify --data /srv/holdfast\nExit code 8 when the trail does not fit; the first row that does not is named first.",
  )
  .action(async (options: { data: string; expect?: string; json?: true }) => {
    const { rowCount, head, findings } = await auditVerify({ disk, data: options.data }, options.expect);
    if (options.json) printJson({ rowCount, head, findings });
    else if (findings.length === 0)
      print(head === null ? "The audit trail is empty." : `The audit trail fits: ${rowCount} rows, head ${head.seq}:${head.hash}`);
    const [first, ...others] = findings.map(({ seq, problem }) => (seq === null ? problem : `row ${seq} ${problem}`));
    if (first !== undefined) throw new Fault("integrity", `audit trail: ${[first, ...others].join("; ")}`);
  });

registerCertificate(program, shell);
registerCa(program, shell);

program
  .command("tls")
  .description("what the ports let in")
  .command("audit")
  .description("probe ports with real handshakes: every protocol version, every insecure suite, the certificate")
  .option("--host <host:port>", "port to probe, of any TLS server")
  .option("--data <folder>", "folder of the running node, whose own ports are probed, and the machine's OpenSSL policy read")
  .option("--json", "the report as one line of JSON")
  .addHelpText(
    "after",
    `\nExamples:\n  holdfast-node tls audit --data /srv/holdfast\n  holdfast-node tls audit --host backup.example.org:8444\n  holdfast-node tls audit --host 127.0.0.1:8443 --json
\nExit codes: 0 nothing of medium severity or worse · 1 a finding of medium severity or worse · 2 wrong arguments ·
5 a port does not answer, or could not be probed to the end`,
  )
  .action(async (options: { host?: string; data?: string; json?: true }) => {
    const { report, exitCode } = await tlsAudit({ disk, clock, random, ...options });
    if (options.json) printJson(report);
    else for (const line of tlsAuditLines(report)) print(line);
    if (exitCode !== 0) process.exit(exitCode);
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

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Resolves when `text` has left: whoever reads it may be slow, and the process ends after the last of it. */
function writeWhole(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(new Fault("transport", "standard output: is closed", { cause: error })) : resolve()));
  });
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
