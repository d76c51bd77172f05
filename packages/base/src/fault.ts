/**
 * A fault is an expected failure that the caller handles; it carries a code that travels between machines.
 * A failed assert (assert.ts) is our own bug and is never handled.
 */

/** How a caller may try again after a fault. */
export interface FaultPolicy {
  readonly retry: "never" | "after-reread" | "after-recall" | "after-delay";
  readonly status: number;
}

/** Every fault code with its retry rule and HTTP status. Frozen: codes travel, so they are never renamed. */
export const FAULTS = {
  input: { retry: "never", status: 400 }, // The caller's flags, configuration, arguments.
  format: { retry: "never", status: 400 }, // Bytes that do not follow the written format.
  integrity: { retry: "never", status: 422 }, // Well-formed, but fails its tag, hash or signature.
  denied: { retry: "never", status: 403 }, // Unknown, revoked or unauthorised device.
  missing: { retry: "never", status: 404 }, // Something that must exist does not.
  conflict: { retry: "after-reread", status: 409 }, // Someone else moved first.
  cold: { retry: "after-recall", status: 409 }, // Stored, but not readable in its tier now.
  limit: { retry: "never", status: 413 }, // Over a fixed number in limits.ts.
  quota: { retry: "never", status: 507 }, // Over what this account may store.
  busy: { retry: "after-delay", status: 429 }, // Try later.
  transport: { retry: "after-delay", status: 503 }, // Network or disk, transient.
  certificate: { retry: "never", status: 495 }, // Missing, expired, untrusted, revoked or mismatched.
  version: { retry: "never", status: 426 }, // No protocol version in common.
  internal: { retry: "never", status: 500 }, // A bug on the other side.
} as const satisfies Record<string, FaultPolicy>;

export type FaultCode = keyof typeof FAULTS;

/** Facts of a fault that travel with it: small, plain, free of secrets. */
export type FaultDetail = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface FaultOptions {
  readonly cause?: unknown;
  readonly detail?: FaultDetail;
}

/** An expected failure. `message` reads `thing: what is wrong, got, want`, in lower case, free of keys, plaintext and passphrases. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly detail: FaultDetail;

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail ?? {};
  }

  get retry(): FaultPolicy["retry"] {
    return FAULTS[this.code].retry;
  }
}

/** Whether `error` is a fault, and of `code` when that is given. */
export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

/** Whether `code` is one of the frozen codes: for bodies that came over the wire. */
export function isFaultCode(code: unknown): code is FaultCode {
  return typeof code === "string" && Object.hasOwn(FAULTS, code);
}
