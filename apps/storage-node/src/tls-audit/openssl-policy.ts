/**
 * What OpenSSL on this machine would still allow: its suites and the system's policy. The node's own ports do not follow it (Bun
 * brings its own TLS), but other programs on the machine do, and so does an agent under Node.
 */
import { type Disk, isFault, utf8ToText } from "@holdfast/base";
import { insecureSuiteOf } from "./insecure-suites.ts";

/** Runs `openssl` with arguments; its output where it succeeds, else `null`, also when there is no such program. Never rejects. */
export type RunOpenssl = (args: readonly string[]) => Promise<string | null>;

export interface OpensslPolicy {
  /** As in `OpenSSL 3.0.19`; `null`: there is no openssl here, and all below is empty. */
  readonly version: string | null;
  /** IANA names of the insecure suites that a program gets which asks for nothing special. */
  readonly allowedSuites: readonly string[];
  /** IANA names of the insecure suites that a program can get by asking (`ALL:COMPLEMENTOFALL`). */
  readonly availableSuites: readonly string[];
  /** The policy file; `null` where it could not be read. */
  readonly configPath: string | null;
  /** The system's settings, as in `TLSv1.2`; `null` where the file sets none. */
  readonly minProtocol: string | null;
  readonly cipherString: string | null;
}

const CONFIG_BYTES_MAX = 256 * 1024;
const CONFIG_LINES_MAX = 10_000;
const NO_OPENSSL: OpensslPolicy = { version: null, allowedSuites: [], availableSuites: [], configPath: null, minProtocol: null, cipherString: null };

/** Asks openssl and reads its configuration. An absent openssl, or an unreadable file, is said so in the result and is no fault. */
export async function readOpensslPolicy(run: RunOpenssl, disk: Pick<Disk, "readFile">, configPathOverride?: string): Promise<OpensslPolicy> {
  const version = /^(?:Open|Libre)SSL \S+/.exec((await run(["version"])) ?? "");
  if (version === null) return NO_OPENSSL;
  const allowed = (await run(["ciphers", "-s", "-V"])) ?? (await run(["ciphers", "-V"]));
  const available = await run(["ciphers", "-V", "ALL:COMPLEMENTOFALL"]);
  const folder = /^OPENSSLDIR: "([^"]{1,1024})"/m.exec((await run(["version", "-d"])) ?? "")?.[1];
  const path = configPathOverride ?? (folder === undefined ? null : `${folder}/openssl.cnf`);
  const text = path === null ? null : readText(disk, path);
  return {
    version: version[0],
    allowedSuites: insecureNames(allowed ?? ""),
    availableSuites: insecureNames(available ?? ""),
    configPath: text === null ? null : path,
    ...systemDefaults(text ?? ""),
  };
}

/** Names of the insecure suites in the output of `openssl ciphers -V`, whose lines begin with a code as in `0xC0,0x30 - `. */
function insecureNames(listing: string): string[] {
  return [...listing.matchAll(/^\s*0x([0-9A-F]{2}),0x([0-9A-F]{2}) - /gm)].flatMap(([, high, low]) => {
    const suite = insecureSuiteOf(Number.parseInt(`${high}${low}`, 16));
    return suite === null ? [] : [suite.name];
  });
}

/** Follows `openssl_conf` → `ssl_conf` → `system_default` (config(5)). Included files are not followed. */
function systemDefaults(text: string): Pick<OpensslPolicy, "minProtocol" | "cipherString"> {
  const sections = parseConfig(text);
  const named = (section: string | undefined, key: string): string | undefined => (section === undefined ? undefined : sections.get(section)?.get(key));
  const system = named(named(named("", "openssl_conf"), "ssl_conf"), "system_default");
  return { minProtocol: named(system, "MinProtocol") ?? null, cipherString: named(system, "CipherString") ?? null };
}

/** Values by section and key; what comes before the first section is under the empty name. */
function parseConfig(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  sections.set("", section);
  for (const line of text.split("\n").slice(0, CONFIG_LINES_MAX)) {
    const bare = line.replace(/#.*/, "").trim();
    const head = /^\[\s*([^\]]*?)\s*\]$/.exec(bare);
    if (head !== null) {
      const name = head[1] as string;
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
    }
    const split = bare.indexOf("=");
    if (head === null && split > 0) section.set(bare.slice(0, split).trim(), bare.slice(split + 1).trim());
  }
  return sections;
}

function readText(disk: Pick<Disk, "readFile">, path: string): string | null {
  try {
    const bytes = disk.readFile(path, CONFIG_BYTES_MAX);
    return bytes === null ? null : utf8ToText(bytes);
  } catch (error) {
    if (!isFault(error)) throw error;
    return null;
  }
}
