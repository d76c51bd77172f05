/** Checks of decoded canonical values: each takes an unknown, returns the typed value, and throws `format` naming the place. */
import { type Bytes, Fault } from "@holdfast/base";

/** A map's fields by integer key: `required` keys must be there, `optional` ones may, no others. */
export function takeFields(value: unknown, what: string, required: readonly number[], optional: readonly number[] = []): ReadonlyMap<number, unknown> {
  if (!(value instanceof Map)) throw wrong(what, "want a map");
  for (const key of required) if (!value.has(key)) throw wrong(what, `field ${key} is missing`);
  for (const key of value.keys()) {
    if (!required.includes(key as number) && !optional.includes(key as number)) throw wrong(what, `field ${String(key)} is unknown`);
  }
  return value as ReadonlyMap<number, unknown>;
}

/** An array, of `length` items when that is given, of at most `lengthMax`. */
export function takeArray(value: unknown, what: string, length?: number, lengthMax = Number.MAX_SAFE_INTEGER): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, "want an array");
  if (length !== undefined && value.length !== length) throw wrong(what, `got ${value.length} items, want ${length}`);
  if (value.length > lengthMax) throw new Fault("limit", `${what}: got ${value.length} items, want at most ${lengthMax}`);
  return value;
}

/** An unsigned integer, at most `max`. */
export function takeUint(value: unknown, what: string, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrong(what, "want an unsigned integer");
  if (value > max) throw wrong(what, `got ${value}, want at most ${max}`);
  return value;
}

/** An integer of either sign. */
export function takeInt(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrong(what, "want an integer");
  return value;
}

/** Bytes: exactly `length` when that is given, at most `lengthMax`. */
export function takeBytes(value: unknown, what: string, length?: number, lengthMax = Number.MAX_SAFE_INTEGER): Bytes {
  if (!(value instanceof Uint8Array)) throw wrong(what, "want bytes");
  if (length !== undefined && value.length !== length) throw wrong(what, `got ${value.length} bytes, want ${length}`);
  if (value.length > lengthMax) throw new Fault("limit", `${what}: got ${value.length} bytes, want at most ${lengthMax}`);
  return value as Bytes;
}

/** Text of at most `bytesMax` UTF-8 bytes. */
export function takeText(value: unknown, what: string, bytesMax: number): string {
  if (typeof value !== "string") throw wrong(what, "want text");
  // A UTF-16 unit is at most three bytes of UTF-8: measure only what could be too long.
  if (value.length * 3 > bytesMax && new TextEncoder().encode(value).length > bytesMax) throw new Fault("limit", `${what}: want at most ${bytesMax} bytes`);
  return value;
}

export function takeBoolean(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw wrong(what, "want true or false");
  return value;
}

/** One of the numbers in `allowed`. */
export function takeOneOf<const Value extends number>(value: unknown, what: string, allowed: readonly Value[]): Value {
  if (!allowed.includes(value as Value)) throw wrong(what, `got ${String(value)}, want one of ${allowed.join(", ")}`);
  return value as Value;
}

function wrong(what: string, message: string): Fault {
  return new Fault("format", `${what}: ${message}`);
}
