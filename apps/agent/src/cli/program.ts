/** The command line as a whole: every command, global options, help. */
import { Command, CommanderError } from "commander";
import { registerBackup } from "../commands/backup.ts";
import { registerDevice } from "../commands/device.ts";
import { registerDoctor } from "../commands/doctor.ts";
import { registerEnroll } from "../commands/enroll.ts";
import { registerInit } from "../commands/init.ts";
import { registerJoin } from "../commands/join.ts";
import { registerKey } from "../commands/key.ts";
import { registerLs } from "../commands/ls.ts";
import { registerRebuildIndex } from "../commands/rebuild-index.ts";
import { registerRestore } from "../commands/restore.ts";
import { registerSnapshots } from "../commands/snapshots.ts";
import { registerStatus } from "../commands/status.ts";
import { EXIT_CODES, type ExitCode, exitCodeLines } from "./exit-codes.ts";
import { reportFailure } from "./failure.ts";
import type { ProgramPorts } from "./program-ports.ts";
import { type CommandBody, createRun, type Registry } from "./run.ts";

const COMMANDS: readonly ((registry: Registry) => void)[] = [
  registerEnroll,
  registerInit,
  registerJoin,
  registerBackup,
  registerSnapshots,
  registerLs,
  registerRestore,
  registerStatus,
  registerKey,
  registerDevice,
  registerRebuildIndex,
  registerDoctor,
];

/** Runs the command line; resolves with the exit code, everything having been said. */
export async function runProgram(ports: ProgramPorts, args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT_CODES.done;
  const program = createProgram(ports);
  const registry: Registry = {
    program,
    action<Options>(command: Command, body: CommandBody<Options>) {
      return command.action(async (...received: unknown[]) => {
        // Commander gives the arguments, then the options, then the command.
        const texts = received
          .slice(0, -2)
          .flat()
          .filter((text) => typeof text === "string");
        exitCode = (await body(createRun(ports, command), command.opts() as Options, texts)) ?? EXIT_CODES.done;
      });
    },
  };
  for (const register of COMMANDS) register(registry);
  for (const command of program.commands) settle(command, ports);
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
    return reportFailure(ports.terminal, error, { isJson: args.includes("--json"), isVerbose: args.includes("--verbose") });
  }
}

function createProgram(ports: ProgramPorts): Command {
  const program = new Command("holdfast")
    .description("End-to-end encrypted, deduplicating backup.")
    .version(ports.version, "-V, --version")
    .option("--state <dir>", "state folder (default: $HOLDFAST_STATE; root: /var/lib/holdfast; else $XDG_STATE_HOME/holdfast or ~/.local/state/holdfast)")
    .option("--config <file>", "configuration (default: $HOLDFAST_CONFIG, else holdfast.toml in the state folder)")
    .option(
      "--tls <profile>",
      "how to dial: modern (TLS 1.3), intermediate (1.2 too) or v8r4 (old storage nodes; not under Deno) (default: $HOLDFAST_TLS, else the configuration, else modern)",
    )
    .option("--json", "one JSON object on a line instead of text")
    .option("--quiet", "results and progress off; warnings and faults stay")
    .option("--verbose", "more detail, and stack traces of faults")
    .addHelpText(
      "after",
      [
        "",
        "Exit codes:",
        ...exitCodeLines(),
        "",
        "First steps:",
        "  holdfast enroll CODE && holdfast init",
        "  holdfast backup /home /etc",
        "  holdfast restore latest:/etc --target /tmp/etc",
      ].join("\n"),
    );
  settle(program, ports);
  return program;
}

/** Output through our terminal, exits as exceptions, global options after the command too. */
function settle(command: Command, ports: ProgramPorts): void {
  const { terminal } = ports;
  command.exitOverride();
  command.showHelpAfterError("(see --help)");
  command.configureOutput({
    writeOut: (text) => terminal.write(text.replace(/\n$/, "")),
    writeErr: (text) => terminal.note(text.replace(/\n$/, "")),
    getOutHelpWidth: () => terminal.columns,
    getErrHelpWidth: () => terminal.columns,
  });
  if (command.parent !== null) addGlobalOptions(command);
  for (const child of command.commands) settle(child, ports);
}

/** So that `holdfast status --json` works like `holdfast --json status`; hidden, since the program's help has them. */
function addGlobalOptions(command: Command): void {
  for (const option of command.parent?.options ?? []) {
    if (option.long === "--version" || command.options.some(({ long }) => long === option.long)) continue;
    const copy = command.createOption(option.flags, option.description).hideHelp();
    command.addOption(copy);
  }
}
