/** `holdfast doctor`: everything that commonly goes wrong on this machine and on the way to the storage node, one line each. */
import { isFault } from "@holdfast/base";
import { EXIT_CODES, type ExitCode, exitCodeOf } from "../cli/exit-codes.ts";
import type { Registry, Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { checkDeviceKey, checkGate } from "../doctor/certificate-checks.ts";
import { type Check, failed } from "../doctor/check.ts";
import { checkHistory } from "../doctor/history-checks.ts";
import { checkConfiguration, checkEnvironment, checkMemory, checkRoom, checkRuntime, checkStateFiles } from "../doctor/local-checks.ts";
import { checkNode, notDialled } from "../doctor/node-checks.ts";
import { weakeningVariables } from "../session/tls-environment.ts";
import { type Identity, requireIdentity } from "../state/identity.ts";

interface DoctorOptions {
  readonly offline?: true;
}

export function registerDoctor({ program, action }: Registry): void {
  const command = program
    .command("doctor")
    .summary("look for what is wrong, and say what mends it")
    .description(
      "Checks runtime, environment, state folder, certificate, room, the last backup, and the way to the storage node. One line each: ok, warning or failed, with what mends it. Changes nothing. Ends with 0 unless something failed, else with the exit code of the first that did.",
    )
    .option("--offline", "do not dial the storage node")
    .addHelpText("after", "\nExamples:\n  holdfast doctor\n  holdfast doctor --offline\n  holdfast doctor --json | jq 'select(.status != \"ok\")'");
  action<DoctorOptions>(command, examine);
}

async function examine(run: Run, { offline }: DoctorOptions): Promise<ExitCode> {
  const seen: Check[] = [];
  const tell = (...checks: readonly Check[]): void => {
    seen.push(...checks);
    for (const check of checks) report(run, check);
  };
  tell(checkRuntime(run), ...checkEnvironment(run.environment), checkConfiguration(run), ...checkStateFiles(run), ...checkRoom(run), checkMemory());
  const identity = identityOf(run, tell);
  if (identity !== null) await examineEnrolled(run, identity, offline === true, tell);
  return seen.find(({ status }) => status === "failed")?.exitCode ?? EXIT_CODES.done;
}

async function examineEnrolled(run: Run, identity: Identity, isOffline: boolean, tell: (...checks: readonly Check[]) => void): Promise<void> {
  const gate = await checkGate(run, identity);
  tell(checkDeviceKey(run, identity), ...gate.checks, ...checkHistory(run, identity));
  if (isOffline) tell(...notDialled("--offline was given", "run it without --offline"));
  else if (!gate.passed) tell(...notDialled("the certificate gate has not passed", "mend the certificates first"));
  else if (weakeningVariables(run.environment).some(({ isRefused }) => isRefused))
    tell(...notDialled("the environment forbids it", "mend the environment first"));
  else tell(...(await checkNode(run, identity)));
}

/** Told and `null` when there is none. */
function identityOf(run: Run, tell: (check: Check) => void): Identity | null {
  try {
    return requireIdentity(run.ports.disk, run.paths);
  } catch (error) {
    if (!isFault(error)) throw error;
    const [found, ...rest] = error.message.split("; ");
    tell(failed("enrolment", found ?? error.message, rest.join("; ") || "holdfast enroll CODE", exitCodeOf(error)));
    return null;
  }
}

const WIDTH = "certificate life".length;

function report(run: Run, { name, status, message, mend }: Check): void {
  const line = `${status.padEnd(7)}  ${name.padEnd(WIDTH)}  ${safeText(message)}`;
  run.report("check", { name, status, message, mend }, mend === null ? [line] : [line, `${" ".repeat(9)}mend: ${safeText(mend)}`]);
}
