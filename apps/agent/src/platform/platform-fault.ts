/**
 * System errors as faults: the one translation that every platform adapter uses.
 *
 * The errno's name (as in `ENOSPC`) and the failed call travel in `detail`; the name of the file does not: the caller
 * knows which entry it asked for and decides where that may be written.
 */
import { constants } from "node:os";
import { Fault, type FaultCode, isFault } from "@holdfast/base";

const NUMBER_BY_NAME: Readonly<Record<string, number>> = constants.errno;
const NAME_BY_NUMBER: ReadonlyMap<number, string> = new Map(
  // First name wins, so that 11 reads EAGAIN, not EWOULDBLOCK, and 95 reads ENOTSUP, not EOPNOTSUPP.
  Object.entries(NUMBER_BY_NAME)
    .toSorted(([left], [right]) => (left < right ? 1 : -1))
    .map(([name, number]) => [number, name]),
);

const CODE_BY_NAME: Readonly<Record<string, FaultCode>> = {
  ENOENT: "missing",
  ENODATA: "missing",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  EEXIST: "conflict",
  ENOTEMPTY: "conflict",
  // The entry is of another kind than the caller was told: it changed, or somebody tries to lead us through a link.
  ELOOP: "conflict",
  ENOTDIR: "conflict",
  EISDIR: "conflict",
  ENXIO: "conflict",
  ESPIPE: "conflict",
  ESTALE: "conflict",
  ENAMETOOLONG: "limit",
  EFBIG: "limit",
  EMLINK: "limit",
  E2BIG: "limit",
  ERANGE: "limit",
  EINVAL: "input",
  EILSEQ: "input",
  ENOTSUP: "input",
  ENOSYS: "input",
  EBUSY: "busy",
  EMFILE: "busy",
  ENFILE: "busy",
  ENOMEM: "busy",
  ETXTBSY: "busy",
};

/** The fault for `errnoName` out of `call`; everything not listed (EIO, ENOSPC, EDQUOT, ...) is `transport`. */
export function platformFault(call: string, errnoName: string, cause?: unknown): Fault {
  const code = CODE_BY_NAME[errnoName] ?? "transport";
  return new Fault(code, `platform: ${call} failed, got ${errnoName}`, { cause, detail: { errno: errnoName, call } });
}

/** The name behind an errno number, as in `ENOENT`. */
export function errnoToName(errnoNumber: number): string {
  return NAME_BY_NUMBER.get(errnoNumber) ?? `E${errnoNumber}`;
}

/** The number behind an errno name; a name that the system does not know becomes that of `EIO`. */
export function errnoToNumber(errnoName: string): number {
  return NUMBER_BY_NAME[errnoName] ?? NUMBER_BY_NAME.EIO ?? 5;
}

/** The errno name in a fault of this port, or `null` for any other error. */
export function errnoOf(error: unknown): string | null {
  const errno = isFault(error) ? error.detail.errno : undefined;
  return typeof errno === "string" ? errno : null;
}
