/** Where secrets of persons come from: a file, a command, the environment, or a prompt without echo. Never from arguments. */
import { type Disk, Fault, hexToBytes, isFault, utf8ToText } from "@holdfast/base";
import { asX25519PrivateKey, parseRecoveryCode } from "@holdfast/crypto";
import type { PersonSecret } from "../session/open-owner.ts";
import type { Terminal } from "./terminal.ts";

export interface SecretSources {
  readonly disk: Disk;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  /** Runs a command by the shell; its standard output. */
  readonly runShell: (command: string) => string;
}

/** Options of commands that need a secret that is there already. */
export interface SecretOptions {
  readonly passphraseFile?: string;
  readonly passphraseCommand?: string;
  /** Asks for the recovery code instead. */
  readonly recovery?: true;
  readonly recoveryFile?: string;
  /** Private key of a recipient, 64 hexadecimal digits. */
  readonly recipientKeyFile?: string;
}

/** Options of commands that set a passphrase. */
export interface NewPassphraseOptions {
  readonly file: string | undefined;
  readonly command: string | undefined;
  /** Name of the variable; with `_FILE` after it, that of a file. */
  readonly variable: "HOLDFAST_PASSPHRASE" | "HOLDFAST_NEW_PASSPHRASE";
}

const SECRET_BYTES_MAX = 64 * 1024;

/** The secret that opens a person's slot, from the first source that is given; else asked for. */
export async function readPersonSecret(sources: SecretSources, options: SecretOptions): Promise<PersonSecret> {
  if (options.recoveryFile !== undefined) return recoverySecret(readSecretFile(sources.disk, options.recoveryFile));
  if (options.recovery === true) return recoverySecret(await prompt(sources.terminal, "Recovery code (24 words): ", "--recovery-file"));
  if (options.recipientKeyFile !== undefined) return recipientSecret(readSecretFile(sources.disk, options.recipientKeyFile));
  const given = givenPassphrase(sources, { file: options.passphraseFile, command: options.passphraseCommand, variable: "HOLDFAST_PASSPHRASE" });
  return { type: "passphrase", passphrase: given ?? (await prompt(sources.terminal, "Passphrase of the vault: ", "--passphrase-file")) };
}

/** A passphrase to be set: asked for twice when no source is given. Empty: `input`. */
export async function readNewPassphrase(sources: SecretSources, options: NewPassphraseOptions): Promise<string> {
  const given = givenPassphrase(sources, options);
  const passphrase = given ?? (await promptTwice(sources.terminal, options.variable === "HOLDFAST_PASSPHRASE" ? "--passphrase-file" : "--new-passphrase-file"));
  if (passphrase.replace(/\r?\n$/, "") === "") throw new Fault("input", "passphrase: empty");
  return passphrase;
}

function givenPassphrase({ disk, environment, runShell }: SecretSources, { file, command, variable }: NewPassphraseOptions): string | null {
  if (file !== undefined && command !== undefined) throw new Fault("input", "passphrase: give a file or a command, not both");
  if (file !== undefined) return readSecretFile(disk, file);
  if (command !== undefined) return firstLine(runShell(command));
  const value = environment[variable];
  if (value !== undefined && value !== "") return value;
  const path = environment[`${variable}_FILE`];
  return path === undefined || path === "" ? null : readSecretFile(disk, path);
}

async function prompt(terminal: Terminal, question: string, option: string): Promise<string> {
  if (!terminal.isInteractive) throw new Fault("input", `passphrase: none given, and nobody to ask; give ${option}, or set HOLDFAST_PASSPHRASE_FILE`);
  return terminal.readSecret(question);
}

async function promptTwice(terminal: Terminal, option: string): Promise<string> {
  const passphrase = await prompt(terminal, "New passphrase: ", option);
  if ((await terminal.readSecret("The same again: ")) !== passphrase) throw new Fault("input", "passphrase: the two differ; nothing was changed");
  return passphrase;
}

/** Text of a file that holds one secret, without its last line feed. */
function readSecretFile(disk: Disk, path: string): string {
  const bytes = disk.readFile(path, SECRET_BYTES_MAX);
  if (bytes === null) throw new Fault("input", `${path}: no such file`);
  const text = utf8ToText(bytes);
  if (text === null) throw new Fault("input", `${path}: is not UTF-8 text`);
  return text.replace(/\r?\n$/, "");
}

function firstLine(output: string): string {
  return output.replace(/\r?\n[\s\S]*$/, "");
}

function recoverySecret(text: string): PersonSecret {
  try {
    return { type: "recovery", entropy: parseRecoveryCode(text) };
  } catch (cause) {
    if (!isFault(cause, "input")) throw cause;
    throw new Fault("input", cause.message, { cause, detail: { wrongSecret: true } });
  }
}

function recipientSecret(text: string): PersonSecret {
  const bytes = hexToBytes(text.trim());
  if (bytes?.length !== 32) throw new Fault("input", "recipient key: want 64 hexadecimal digits");
  return { type: "recipient", privateKey: asX25519PrivateKey(bytes) };
}
