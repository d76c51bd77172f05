/** The program's log: one JSON object a line. Fields never hold keys, passphrases, invite secrets or names of files that are backed up. */
import type { Clock } from "@holdfast/base";

export type LogLevel = "info" | "warning" | "error";
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, string | number | boolean | null>>) => void;

export function createLog(clock: Clock, write: (line: string) => void): Log {
  return (level, message, fields = {}) => write(`${JSON.stringify({ time: new Date(clock.nowMs()).toISOString(), level, message, ...fields })}\n`);
}
