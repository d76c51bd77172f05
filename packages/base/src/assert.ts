/** Asserts for what only our own bug can break. They stay on in production; nothing catches them but the outermost handler. */

export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Throws unless `condition`: a failed assert is our bug, so the operation stops and nothing is retried. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(`assert: ${message}`);
}

/** `value`, which must be there. */
export function assertDefined<T>(value: T | null | undefined, message: string): T {
  assert(value !== null && value !== undefined, message);
  return value;
}
