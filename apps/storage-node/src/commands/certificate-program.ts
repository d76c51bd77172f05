/** The commands `certificate …` and `ca …`. For those of `ca` the node must be stopped; what the others change, a running node takes up at once. */
import { Fault } from "@holdfast/base";
import type { Command } from "commander";
import { askForRevocationLists, askToCheck } from "../control-node.ts";
import { DataFolder } from "../data-folder.ts";
import { finishRotation, OVERLAP_MS_DEFAULT, rotateRoot } from "./ca.ts";
import { type CertificateResult, issueIntermediate, issueLeaf, issueRootList } from "./certificate.ts";
import { type CommandShell, toDurationMs } from "./command-shell.ts";
import { importCertificate } from "./import-certificate.ts";

interface RootFlags {
  readonly data: string;
  readonly passphraseFile: string;
  readonly rootKey?: string;
  readonly json?: true;
}

interface ImportFlags {
  readonly data: string;
  readonly cert: string;
  readonly key: string;
  readonly root?: string;
  readonly rootCrl?: string;
  readonly enrollAgain?: true;
  readonly json?: true;
}

interface RotateFlags extends Partial<RootFlags> {
  readonly data: string;
  readonly newPassphraseFile?: string;
  readonly rootKeyOut?: string;
  readonly overlap?: number;
  readonly finish?: true;
  readonly now?: true;
  readonly dryRun?: true;
}

const ROOT_KEY_HELP = "the root's locked key, where it is kept off the data folder";

export function registerCertificate(program: Command, shell: CommandShell): void {
  const { disk, print, readPassphrase } = shell;
  const tell = ({ certificate: name, validUntil }: CertificateResult, json: true | undefined): void => {
    if (json) shell.printJson({ certificate: name, validUntil });
    else print(`New certificate: ${name}, valid until ${validUntil}.`);
  };
  const certificate = program.command("certificate").description("certificates of the node, and what mends them; a running node takes them up at once");
  certificate
    .command("issue")
    .description("a fresh key and certificate for the node")
    .requiredOption("--data <folder>", "folder of the node")
    .option("--json", "result as one line of JSON")
    .action(async ({ data, json }: { data: string; json?: true }) => {
      tell(await issueLeaf({ ...shell, data }), json);
      await askToCheck(new DataFolder(disk, data).controlPath);
    });
  const withRoot = [
    { name: "intermediate", what: "a fresh intermediate, once a year; needs the root's key", run: issueIntermediate },
    { name: "crl", what: "a fresh revocation list of the root, once a year; needs the root's key", run: issueRootList },
  ];
  for (const { name, what, run } of withRoot) {
    certificate
      .command(name)
      .description(what)
      .requiredOption("--data <folder>", "folder of the node")
      .requiredOption("--passphrase-file <file>", "passphrase of the root's key")
      .option("--root-key <file>", ROOT_KEY_HELP)
      .option("--json", "result as one line of JSON")
      .action(async ({ data, passphraseFile, rootKey, json }: RootFlags) => {
        tell(await run({ ...shell, data, rootKeyPath: rootKey }, readPassphrase(passphraseFile)), json);
        await askToCheck(new DataFolder(disk, data).controlPath);
      });
  }
  certificate
    .command("lists")
    .description("print the revocation lists of the running node, PEM: those of the intermediates and of the root")
    .requiredOption("--data <folder>", "folder of the running node")
    .action(async ({ data }: { data: string }) => print((await askForRevocationLists(new DataFolder(disk, data).controlPath)).trimEnd()));
  registerImport(certificate, shell);
  certificate
    .command("root")
    .description("why a root is not replaced in place")
    .allowUnknownOption()
    .action(() => {
      throw new Fault(
        "input",
        "root: every invite and every device is pinned to it; put root.pem back from a copy, or move to another with holdfast-node ca rotate",
      );
    });
}

function registerImport(certificate: Command, { disk, clock, random, print, printJson }: CommandShell): void {
  certificate
    .command("import")
    .description("use a certificate of your own authority: one that the node issues under, or one for its ports")
    .requiredOption("--data <folder>", "folder of the node")
    .requiredOption("--cert <file>", "the certificate, PEM")
    .requiredOption("--key <file>", "its key: P-256, PKCS#8 PEM without a passphrase")
    .option("--root <file>", "the root that it hangs from, where that is another than now")
    .option("--root-crl <file>", "revocation list of that root")
    .option("--enroll-again", "go on although enrolled devices are pinned to the present root and must enrol again")
    .option("--json", "result as one line of JSON")
    .addHelpText(
      "after",
      "\nExample:\n  holdfast-node certificate import --data /srv/holdfast --cert issuing.pem --key issuing-key.pem --root root.pem --root-crl root.crl.pem",
    )
    .action(async ({ data, cert, key, root, rootCrl, enrollAgain, json }: ImportFlags) => {
      const paths = { certificatePath: cert, keyPath: key, rootPath: root, rootCrlPath: rootCrl };
      const result = await importCertificate({ disk, clock, random, data, ...paths, enrollAgain: enrollAgain === true });
      if (json) printJson(result);
      else print(`Imported as the ${result.imported}: ${result.subject}, valid until ${result.validUntil}.`);
    });
}

export function registerCa(program: Command, shell: CommandShell): void {
  program
    .command("ca")
    .description("the node's certificate authority; the node must be stopped")
    .command("rotate")
    .description("move to a new root: begin, and after the overlap --finish")
    .requiredOption("--data <folder>", "folder of the node")
    .option("--passphrase-file <file>", "passphrase of the present root's key")
    .option("--root-key <file>", ROOT_KEY_HELP)
    .option("--new-passphrase-file <file>", "passphrase of the new root's key, where it shall be another")
    .option("--root-key-out <file>", "where to put the new root's locked key, off the data folder")
    .option("--overlap <duration>", "how long both roots hold (default: 60d)", toDurationMs)
    .option("--finish", "drop the old root, and say which devices are left behind")
    .option("--dry-run", "with --finish: only say which devices would be left behind")
    .option("--now", "with --finish: do not wait for the end of the overlap")
    .option("--json", "result as one line of JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  holdfast-node ca rotate --data /srv/holdfast --passphrase-file /media/usb/root-passphrase\n  holdfast-node ca rotate --data /srv/holdfast --finish",
    )
    .action((flags: RotateFlags) => (flags.finish ? finish(shell, flags) : begin(shell, flags)));
}

async function begin(shell: CommandShell, flags: RotateFlags): Promise<void> {
  const { data, passphraseFile, newPassphraseFile, rootKey, rootKeyOut, overlap, json } = flags;
  if (passphraseFile === undefined) throw new Fault("input", "--passphrase-file: is missing, want the passphrase of the present root's key");
  if (flags.now || flags.dryRun) throw new Fault("input", "--now, --dry-run: go with --finish");
  const passphrase = shell.readPassphrase(passphraseFile);
  const newPassphrase = newPassphraseFile === undefined ? passphrase : shell.readPassphrase(newPassphraseFile);
  const { disk, clock, random, print } = shell;
  const keys = { rootKeyPath: rootKey, rootKeyOutPath: rootKeyOut, passphrase, newPassphrase };
  const result = await rotateRoot({ disk, clock, random, data, ...keys, overlapMs: overlap ?? OVERLAP_MS_DEFAULT });
  if (json) return shell.printJson(result);
  print(`New root ${result.rootSpkiSha256}\n         ${result.rootWords}`);
  print(`Both roots hold until ${result.overlapEnds}; devices learn of the new one when they renew their certificates.`);
  print(`Next: holdfast-node serve --data ${data}; after that time holdfast-node ca rotate --data ${data} --finish`);
}

async function finish({ disk, clock, random, print, printJson }: CommandShell, { data, now, dryRun, json }: RotateFlags): Promise<void> {
  const result = await finishRotation({ disk, clock, random, data, now: now === true, dryRun: dryRun === true });
  if (json) return printJson(result);
  if (result.finished) print(`The root is now ${result.rootSpkiSha256}\n                ${result.rootWords}`);
  if (result.leftBehind.length === 0) print("No device is left behind.");
  else print(`Left behind, ${result.finished ? "and to be enrolled again" : "were it finished now"}:`);
  for (const { device, account, label, words } of result.leftBehind) print(`${device}  ${account}  ${label.replace(/\p{C}/gu, "?")}\n    ${words}`);
}
