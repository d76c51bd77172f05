/** The command line as tests run it: disk, clock, node and terminal in memory. */

import { Fault } from "@holdfast/base";
import { ARGON2_MEMORY_KIB_MIN, ARGON2_PASSES_MIN, encodeInvite } from "@holdfast/protocol";
import { createFakeClock, createFaultDisk, createSeededRandom, type FakeClock, type FaultDisk, testId } from "@holdfast/testkit";
import type { Operations } from "../cli/operations.ts";
import { runProgram } from "../cli/program.ts";
import type { ProgramPorts } from "../cli/program-ports.ts";
import { createMemoryAccount, type MemoryAccount, NODE_KEY } from "./memory-account.ts";
import { createMemoryAuthority } from "./memory-authority.ts";

export interface ProgramResult {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
  /** The JSON objects among the lines of `out`. */
  readonly events: readonly Record<string, unknown>[];
}

export interface MemoryProgram {
  readonly clock: FakeClock;
  readonly disk: FaultDisk;
  readonly account: MemoryAccount;
  readonly environment: Record<string, string | undefined>;
  /** What a person types at the prompts, in order. Empty: nobody sits there. */
  readonly typed: string[];
  /** Replace these to see what commands ask of them. */
  operations: Operations;
  run(...args: string[]): Promise<ProgramResult>;
}

export const INVITE = encodeInvite({
  host: "node.example",
  agentPort: 8443,
  frontPort: 8444,
  secret: testId("secret").slice(0, 16),
  rootSpkiSha256: testId("root"),
  nodeKey: NODE_KEY.publicKey,
});

/** A program whose state folder is `/state` unless its arguments say otherwise. */
export function createMemoryProgram(seed = 1): MemoryProgram {
  const clock = createFakeClock();
  const random = createSeededRandom(seed);
  const account = createMemoryAccount(clock, random);
  const authority = createMemoryAuthority({ clock, random });
  const unused = async (): Promise<never> => {
    throw new Fault("internal", "test: not expected to be called");
  };
  const self: MemoryProgram = {
    clock,
    disk: createFaultDisk(),
    account,
    environment: { HOLDFAST_STATE: "/state" },
    typed: [],
    operations: {
      enroll: async ({ csrPem, device }) => {
        const certificate = await authority.issue(csrPem, device);
        return { ...certificate, account: account.account, accountName: "ada", edition: "ese", vault: null };
      },
      reissue: unused,
      connect: async ({ ports, paths }) => account.connect(ports, paths),
      runBackup: unused,
      rebuildIndex: unused,
      restoring: unused,
    },
    run: (...args) => runOnce(self, { clock, random }, args),
  };
  return self;
}

async function runOnce(
  program: MemoryProgram,
  { clock, random }: Pick<ProgramPorts["ports"], "clock" | "random">,
  args: readonly string[],
): Promise<ProgramResult> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runProgram(
    {
      ports: { clock, random, disk: program.disk },
      terminal: {
        isInteractive: program.typed.length > 0,
        columns: 100,
        write: (line) => void out.push(line),
        note: (line) => void err.push(line),
        live: () => {},
        async readSecret() {
          return program.typed.shift() ?? "";
        },
      },
      processes: { pid: 1, startOf: () => "boot", isAlive: () => true },
      operations: program.operations,
      environment: program.environment,
      isRoot: false,
      currentFolder: "/here",
      hostName: "web-1",
      version: "0.0.0",
      runtime: "node 24.0.0",
      userId: program.disk.stat("/")?.uid ?? null,
      passphraseCost: { memoryKib: ARGON2_MEMORY_KIB_MIN, passes: ARGON2_PASSES_MIN },
      runShell: (command) => `${command} said this\nand that\n`,
    },
    args,
  );
  const events = out.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, out, err, events };
}
