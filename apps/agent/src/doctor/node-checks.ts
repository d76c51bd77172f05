/** What `holdfast doctor` learns from the storage node: whether it answers, over which TLS, and how far the clocks are apart. */
import { type Fault, isFault } from "@holdfast/base";
import { REQUEST_SKEW_MS_MAX } from "@holdfast/protocol";
import { EXIT_CODES, exitCodeOf } from "../cli/exit-codes.ts";
import type { Run } from "../cli/run.ts";
import type { Identity } from "../state/identity.ts";
import { type Check, failed, ok, warning } from "./check.ts";

const NODE = "storage node";
const CLOCK = "clock";
/** Far below what the storage node refuses, and far above what NTP leaves. */
const SKEW_MS_MAX = 30_000;
const TRIES_MAX = 2;

export async function checkNode(run: Pick<Run, "connect" | "ports">, { host, agentPort }: Identity): Promise<Check[]> {
  const address = `${host}:${agentPort}`;
  const { clock } = run.ports;
  let protocol: string | null = null;
  const onAnswer = (version: string): void => {
    protocol = version;
  };
  try {
    await using connection = await run.connect({ onAnswer, triesMax: TRIES_MAX });
    const startMs = clock.nowMs();
    const { nowMs } = await connection.accountInfo();
    const skewMs = (startMs + clock.nowMs()) / 2 - nowMs;
    return [ok(NODE, `${address} answers over ${protocol ?? "TLS"}`), checkSkew(skewMs)];
  } catch (error) {
    if (!isFault(error)) throw error;
    return refusal(error, address, protocol);
  }
}

/** For when the gate has not passed, or there is nothing to dial. */
export function notDialled(why: string, mend: string): Check[] {
  return [warning(NODE, `not dialled: ${why}`, mend)];
}

/** @param skewMs - How far this machine's clock is ahead. */
function checkSkew(skewMs: number): Check {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const text = seconds === 0 ? "agrees with the storage node's" : `${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} the storage node's`;
  const mend = "set this machine's clock, or have NTP do it";
  if (Math.abs(skewMs) > REQUEST_SKEW_MS_MAX) return failed(CLOCK, text, mend, EXIT_CODES.refused);
  return Math.abs(skewMs) > SKEW_MS_MAX ? warning(CLOCK, text, mend) : ok(CLOCK, text);
}

function refusal(fault: Fault, address: string, protocol: string | null): Check[] {
  const skewMs = fault.detail["skewMs"];
  if (typeof skewMs === "number") {
    return [
      ok(NODE, `${address} answers${protocol === null ? "" : ` over ${protocol}`}, but refuses requests while the clocks differ`),
      { ...checkSkew(skewMs), status: "failed", exitCode: EXIT_CODES.refused },
    ];
  }
  const [found, ...rest] = fault.message.split("; ");
  const mend = rest.join("; ") || "check the network, the name and the port, and that the storage node runs";
  return [failed(NODE, found ?? fault.message, mend, exitCodeOf(fault))];
}
