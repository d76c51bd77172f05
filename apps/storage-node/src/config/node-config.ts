/**
 * `holdfast-node.toml` in the data folder, or where `serve --config` points: settings of `serve`. Flags win over it.
 *
 *   [listen]  host, agent-port, front-port
 *   [tls]     agent, front: names of TLS policies
 */
import { join } from "node:path";
import { type Disk, Fault, utf8ToText } from "@holdfast/base";
import { TLS_PROFILE_NAMES, type TlsProfileName } from "@holdfast/pki";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";

const CONFIG_BYTES_MAX = 64 * 1024;
const FILE_NAME = "holdfast-node.toml";

const port = z.int().min(0).max(65_535);
const profile = z.enum(TLS_PROFILE_NAMES);
const configFile = z.strictObject({
  listen: z.strictObject({ host: z.string().min(1).max(253).optional(), "agent-port": port.optional(), "front-port": port.optional() }).optional(),
  tls: z.strictObject({ agent: profile.optional(), front: profile.optional() }).optional(),
});

export interface ServeSettings {
  readonly listenHost: string;
  readonly agentPort: number;
  readonly frontPort: number;
  readonly agentTls: TlsProfileName;
  readonly frontTls: TlsProfileName;
}

/** Where the flags and the file say nothing. */
export const SERVE_DEFAULTS: ServeSettings = { listenHost: "0.0.0.0", agentPort: 8443, frontPort: 8444, agentTls: "modern", frontTls: "intermediate" };

/** Settings of the node in `data`, by the file at `path` or else the one in the folder, which may be missing. What is wrong in it: `input`. */
export function readServeSettings(disk: Disk, data: string, path: string | undefined): ServeSettings {
  const file = path ?? join(data, FILE_NAME);
  const bytes = disk.readFile(file, CONFIG_BYTES_MAX);
  if (bytes === null && path !== undefined) throw new Fault("input", `${file}: no such file`);
  const text = bytes === null ? "" : utf8ToText(bytes);
  if (text === null) throw new Fault("input", `${file}: is not UTF-8 text`);
  return { ...SERVE_DEFAULTS, ...parseServeSettings(text, file) };
}

/** Only what `text` sets; `file` is for messages. */
export function parseServeSettings(text: string, file: string): Partial<ServeSettings> {
  const parsed = configFile.safeParse(parseToml(text, file));
  if (!parsed.success) {
    const issue = parsed.error.issues[0] as z.core.$ZodIssue;
    const place = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] as string] : issue.path;
    throw new Fault("input", `${file}: ${place.join(".") || "file"}: ${issue.code === "unrecognized_keys" ? "is not known" : issue.message}`);
  }
  const { listen = {}, tls = {} } = parsed.data;
  const given = { listenHost: listen.host, agentPort: listen["agent-port"], frontPort: listen["front-port"], agentTls: tls.agent, frontTls: tls.front };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [reason] = cause.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new Fault("input", `${file}:${cause.line}: ${reason} (column ${cause.column})`, { cause });
  }
}
