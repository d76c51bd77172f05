/** One run of a command: global options resolved, ways to the vault, and output for people or for programs. */
import { Fault } from "@holdfast/base";
import type { TlsProfileName } from "@holdfast/pki";
import type { Command } from "commander";
import { readConfig } from "../config/config-file.ts";
import type { Connection, ConnectOptions } from "../session/connection.ts";
import { type OpenedVault, openVault } from "../session/open-vault.ts";
import type { VaultSession } from "../session/session.ts";
import { createVaultSession } from "../session/vault-session.ts";
import { takeLock } from "../state/lock.ts";
import { type StatePaths, statePaths } from "../state/state-paths.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { SecretSources } from "./passphrase.ts";
import { resolveConfigPath, resolveStateFolder, resolveTlsProfile } from "./places.ts";
import type { ProgramPorts } from "./program-ports.ts";
import type { Terminal } from "./terminal.ts";

/** Fields of a JSON event. Names are stable; new ones may come. */
export type EventFields = Readonly<Record<string, unknown>>;

export interface Run extends ProgramPorts {
  readonly paths: StatePaths;
  readonly configFile: { readonly path: string; readonly isRequired: boolean };
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  readonly secretSources: SecretSources;
  /** A result: one JSON object on a line with `--json`, else the lines. */
  report(event: string, fields: EventFields, lines: readonly string[]): void;
  /** A sentence beside the result; nothing with `--quiet`. */
  note(text: string): void;
  /** How to dial; the profile for old storage nodes warns each time. */
  tlsProfile(): TlsProfileName;
  connect(more?: Pick<ConnectOptions, "onAnswer" | "triesMax">): Promise<Connection>;
  /** Journal and keys. */
  openSession(): Promise<VaultSession>;
  /** The journal alone. */
  openVault(): Promise<OpenedVault>;
  /** One run at a time: for commands that change the state folder or the vault. */
  lock(): Disposable;
}

/** A command's body: its exit code, or nothing for 0. */
export type CommandBody<Options> = (run: Run, options: Options, args: readonly string[]) => Promise<ExitCode | undefined>;

/** Puts commands into a program. */
export interface Registry {
  readonly program: Command;
  /** Makes `command` run `body`. */
  action<Options>(command: Command, body: CommandBody<Options>): Command;
}

/** Names of a command from below the program down, as people type them. */
export function commandName(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name());
  return names.join(" ");
}

interface GlobalOptions {
  readonly state?: string;
  readonly config?: string;
  readonly tls?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly verbose?: true;
}

export function createRun(program: ProgramPorts, command: Command): Run {
  const options: GlobalOptions = command.optsWithGlobals();
  const { ports, terminal, environment, operations } = program;
  const root = resolveStateFolder(options.state, program);
  const paths = statePaths(root);
  const isJson = options.json === true;
  const isQuiet = options.quiet === true;
  if (isQuiet && options.verbose === true) throw new Fault("input", "options: --quiet and --verbose do not go together");
  const note = (text: string): void => {
    if (isQuiet) return;
    if (isJson) terminal.write(JSON.stringify({ event: "note", message: text }));
    else terminal.note(text);
  };
  let isLocked = false;
  const configFile = resolveConfigPath(options.config, root, program);
  let profile: TlsProfileName | null = null;
  const tlsProfile = (): TlsProfileName => {
    if (profile !== null) return profile;
    profile = resolveTlsProfile(options.tls, () => readConfig(ports.disk, configFile).tls, program);
    if (profile === "v8r4")
      warn(terminal, isJson, "tls profile v8r4: TLS 1.0 and 1.1 are broken; it is for old storage nodes only, so set it back as soon as they are gone");
    return profile;
  };
  const connect: Run["connect"] = (more) =>
    operations.connect({ ports, paths, environment, tlsProfile: tlsProfile(), onNote: note, mayRenew: isLocked, ...more });
  return {
    ...program,
    paths,
    configFile,
    isJson,
    isQuiet,
    isVerbose: options.verbose === true,
    secretSources: { disk: ports.disk, environment, terminal, runShell: program.runShell },
    report(event, fields, lines) {
      if (isJson) terminal.write(JSON.stringify({ event, ...fields }));
      else if (!isQuiet) for (const line of lines) terminal.write(line);
    },
    note,
    tlsProfile,
    connect,
    openVault: async () => openVault(ports, paths, await connect()),
    openSession: async () => createVaultSession(ports, paths, await connect()),
    lock() {
      const held = takeLock(paths, {
        disk: ports.disk,
        random: ports.random,
        processes: program.processes,
        nowMs: ports.clock.nowMs(),
        command: commandName(command),
      });
      isLocked = true;
      return held;
    },
  };
}

/** Stays with `--quiet`. */
function warn(terminal: Terminal, isJson: boolean, text: string): void {
  if (isJson) terminal.write(JSON.stringify({ event: "warning", reason: text }));
  terminal.note(`warning: ${text}`);
}
