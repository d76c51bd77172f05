/** Variables of the environment that weaken TLS under some runtime. One of them stops every dialling; the others cannot reach our pools, and are named. */
import { Fault } from "@holdfast/base";

type Environment = Readonly<Record<string, string | undefined>>;

export interface TlsVariable {
  readonly name: string;
  /** What it does, for a person. */
  readonly effect: string;
  /** Nothing is dialled while it is set. */
  readonly isRefused: boolean;
}

const UNVERIFIED = "NODE_TLS_REJECT_UNAUTHORIZED";
/** What the runtimes take for "off": Node 0, Bun also false. */
const OFF = /^(0|false)$/i;
/** Ours are pinned to the storage node's own root, so these add nothing to what is trusted. */
const STORES = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "DENO_CERT", "DENO_TLS_CA_STORE", "NODE_USE_SYSTEM_CA"] as const;

/** Those that are set. */
export function weakeningVariables(environment: Environment): TlsVariable[] {
  const found: TlsVariable[] = [];
  if (isUnverified(environment)) found.push({ name: UNVERIFIED, effect: "switches the checking of certificates off", isRefused: true });
  for (const name of STORES) {
    if (isSet(environment, name))
      found.push({ name, effect: "adds roots of others; they count for nothing here, where only the storage node's own root is trusted", isRefused: false });
  }
  if (isSet(environment, "SSLKEYLOGFILE")) found.push({ name: "SSLKEYLOGFILE", effect: "may write the keys of connections to a file", isRefused: false });
  if (isSet(environment, "OPENSSL_CONF")) found.push({ name: "OPENSSL_CONF", effect: "may lower what OpenSSL demands of a connection", isRefused: false });
  const options = environment["NODE_OPTIONS"] ?? "";
  if (/--tls-|--openssl-/.test(options)) found.push({ name: "NODE_OPTIONS", effect: "changes TLS by --tls-… or --openssl-…", isRefused: false });
  return found;
}

/** A runtime that was told to accept any certificate would make the first bond worthless: `certificate`. */
export function refuseUnverifiedTls(environment: Environment): void {
  if (!isUnverified(environment)) return;
  throw new Fault("certificate", `environment: ${UNVERIFIED}=${environment[UNVERIFIED]} switches the checking of certificates off; unset it and start again`);
}

function isUnverified(environment: Environment): boolean {
  return OFF.test(environment[UNVERIFIED] ?? "");
}

function isSet(environment: Environment, name: string): boolean {
  return (environment[name] ?? "") !== "";
}
