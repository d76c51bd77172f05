/** Nominal types over plain values: a `Brand` can only be made by a checking `asX` or by the function that makes the bytes. */

declare const brand: unique symbol;

/** `Value` that has passed the check named `Name`. */
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };

/** Bytes over memory of their own, never shared: what the platforms' crypto accepts everywhere. */
export type Bytes = Uint8Array<ArrayBuffer>;
