/** Column types that every schema here shares. */
import type { Bytes } from "@holdfast/base";
import { customType } from "drizzle-orm/sqlite-core";

/** A BLOB as plain bytes over memory of their own, so that they can be handed to another thread. */
export const bytes = customType<{ data: Bytes; driverData: Uint8Array<ArrayBuffer> | ArrayBuffer }>({
  dataType: () => "blob",
  toDriver: (value) => value,
  fromDriver(value) {
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    // The driver gives a Buffer over the whole of its own memory: no copy of a part of a megabyte is needed.
    return value.byteLength === value.buffer.byteLength ? new Uint8Array(value.buffer) : new Uint8Array(value);
  },
});
