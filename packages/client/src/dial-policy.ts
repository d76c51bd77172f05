/**
 * TLS profiles for dialling (docs/security.md, TLS policy): those of the storage node, as `node:https` takes them under each runtime.
 *
 * | runtime | TLS 1.0 and 1.1 of `v8r4`                                                       |
 * | Node    | only at OpenSSL's security level 0, which is asked for in the cipher string     |
 * | Bun     | as they are; it throws on a security level in the cipher string                 |
 * | Deno    | never: its TLS library has no code for them, and would silently dial 1.2 instead |
 */
import { Fault } from "@holdfast/base";
import { TLS_PROFILE_NAMES, type TlsProfileName, tlsPolicy } from "@holdfast/pki";

export type DialRuntime = "node" | "bun" | "deno";

/** What a dialling pool offers. */
export interface DialTls {
  readonly minVersion: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  /** OpenSSL cipher string. */
  readonly ciphers: string;
}

/** `name` as a profile; `what` names where it was given. Unknown: `input`. */
export function tlsProfileNamed(name: string, what: string): TlsProfileName {
  const found = TLS_PROFILE_NAMES.find((known) => known === name);
  if (found === undefined) throw new Fault("input", `${what}: got ${JSON.stringify(name.slice(0, 32))}, want ${TLS_PROFILE_NAMES.join(", ")}`);
  return found;
}

/** What to offer under `profile`. A runtime that cannot offer all of it: `input`, so that nobody is dialled under another profile than was asked for. */
export function dialTls(profile: TlsProfileName, runtime: DialRuntime): DialTls {
  if (profile === "v8r4" && runtime === "deno") {
    throw new Fault("input", "tls: Deno cannot speak TLS 1.0 and 1.1, got profile v8r4, want modern or intermediate; or run this program under Node or Bun");
  }
  const { minVersion, maxVersion, ciphers } = tlsPolicy(profile);
  const isLegacyUnderNode = profile === "v8r4" && runtime === "node";
  return { minVersion, maxVersion, ciphers: isLegacyUnderNode ? `${ciphers}:@SECLEVEL=0` : ciphers };
}

/** The runtime that this program runs under. */
export function dialRuntime(): DialRuntime {
  if ("Bun" in globalThis) return "bun";
  return "Deno" in globalThis ? "deno" : "node";
}
