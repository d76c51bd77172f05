/** `holdfast ls`: what is in a snapshot. */
import { EXIT_CODES, type ExitCode } from "../cli/exit-codes.ts";
import type { Registry, Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { type FilterOptions, filtersOf, SPEC_HELP, withFilterOptions } from "./spec-options.ts";

interface LsOptions extends FilterOptions {
  readonly recursive?: true;
  readonly long?: true;
}

export function registerLs({ program, action }: Registry): void {
  const command = withFilterOptions(program.command("ls"))
    .summary("list what is in a snapshot")
    .description("Lists a folder of a snapshot. Names are shown so that they cannot lead the terminal astray.")
    .argument("<snapshot>", SPEC_HELP)
    .option("-r, --recursive", "go into folders")
    .option("-l, --long", "mode, owner, size and time too")
    .addHelpText("after", "\nExamples:\n  holdfast ls latest\n  holdfast ls latest:/etc --long\n  holdfast ls 4f1c08e2:/home --recursive --json");
  action<LsOptions>(command, listFolder);
}

async function listFolder(run: Run, options: LsOptions, [spec]: readonly string[]): Promise<ExitCode> {
  const { listSnapshot, formatListed } = await run.operations.restoring();
  await using session = await run.openSession();
  let exitCode: ExitCode = EXIT_CODES.done;
  const onDamage = (path: string, reason: string): void => {
    exitCode = EXIT_CODES.incomplete;
    if (run.isJson) run.terminal.write(JSON.stringify({ event: "warning", path, reason }));
    run.terminal.note(`warning: ${path === "" ? "" : `${path}: `}${safeText(reason)}`);
  };
  const listOptions = { filters: filtersOf(options, run.currentFolder), recursive: options.recursive ?? false };
  const format = { long: options.long ?? false, json: run.isJson };
  for await (const listed of listSnapshot(session, spec as string, listOptions, onDamage)) run.terminal.write(formatListed(listed, format));
  return exitCode;
}
