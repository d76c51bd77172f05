export * from "./hash.ts";
export * from "./hpke.ts";
export * from "./key.ts";
export * from "./object-id.ts";
export * from "./signature.ts";
export * from "./slot.ts";
export * from "./suite/index.ts";
