/** Tells damage, which is reported while the rest goes on, from trouble that ends the command. */
import { Fault, type FaultCode } from "@holdfast/base";

const DAMAGE_CODES: ReadonlySet<FaultCode> = new Set(["missing", "integrity", "format", "limit", "version", "cold"]);

/** Whether `error` says that one thing is gone, damaged or not readable now, and nothing of the connection or of our rights. */
export function isDamage(error: unknown): error is Fault {
  return error instanceof Fault && DAMAGE_CODES.has(error.code);
}
