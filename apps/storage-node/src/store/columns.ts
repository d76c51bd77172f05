/** Column types that every schema here shares. */
import type { Bytes } from "@holdfast/base";
import { customType } from "drizzle-orm/sqlite-core";

/** A BLOB as plain bytes: the driver gives an ArrayBuffer or a Buffer. */
export const bytes = customType<{ data: Bytes; driverData: Uint8Array | ArrayBuffer }>({
  dataType: () => "blob",
  toDriver: (value) => value,
  fromDriver: (value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value)),
});
