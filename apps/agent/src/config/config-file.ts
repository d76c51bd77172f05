/** `holdfast.toml`: defaults of backups and named sets of paths. Every fault names the file and the line. */
import { type Disk, Fault, utf8, utf8ToText } from "@holdfast/base";
import { TLS_PROFILE_NAMES, type TlsProfileName } from "@holdfast/pki";
import { LABEL_BYTES_MAX } from "@holdfast/protocol";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { parseSize } from "../cli/sizes.ts";
import { lineOfKey } from "./toml-lines.ts";

const CONFIG_BYTES_MAX = 1024 * 1024;

const label = z
  .string()
  .min(1, "want at least one character")
  .refine((text) => utf8(text).length <= LABEL_BYTES_MAX, `want at most ${LABEL_BYTES_MAX} bytes`);
const texts = z.array(z.string().min(1, "want no empty text"));
const absolutePath = z.string().startsWith("/", "want an absolute path");
const size = z
  .union([z.string(), z.int().min(0)])
  .refine((value) => typeof value === "number" || parseSize(value) !== null, 'want a size such as "500", "10M" or "1.5G"')
  .transform((value) => (typeof value === "number" ? value : (parseSize(value) as number)));

/** Keys that `[defaults]` and each `[[set]]` may have. */
const settings = {
  exclude: texts.optional(),
  "exclude-file": z.array(absolutePath).optional(),
  "exclude-caches": z.boolean().optional(),
  "exclude-if-present": texts.optional(),
  "exclude-larger-than": size.optional(),
  "one-file-system": z.boolean().optional(),
  tags: z.array(label).optional(),
  host: label.optional(),
  workers: z.int().min(1).max(64).optional(),
};
const configFile = z.strictObject({
  tls: z.enum(TLS_PROFILE_NAMES, `want ${TLS_PROFILE_NAMES.join(", ")}`).optional(),
  defaults: z.strictObject(settings).optional(),
  set: z.array(z.strictObject({ name: label, paths: z.array(absolutePath).min(1, "want at least one path"), ...settings })).optional(),
});

export type BackupSettings = z.output<z.ZodObject<typeof settings>>;
export type BackupSet = BackupSettings & { readonly name: string; readonly paths: readonly string[] };

export interface Config {
  /** How the storage node is dialled; `null` when the file does not say. */
  readonly tls: TlsProfileName | null;
  readonly defaults: BackupSettings;
  readonly sets: readonly BackupSet[];
}

/** The configuration at `path`; empty when it is not there and need not be. */
export function readConfig(disk: Disk, { path, isRequired }: { readonly path: string; readonly isRequired: boolean }): Config {
  const bytes = disk.readFile(path, CONFIG_BYTES_MAX);
  if (bytes === null) {
    if (isRequired) throw new Fault("input", `${path}: no such file`);
    return { tls: null, defaults: {}, sets: [] };
  }
  const text = utf8ToText(bytes);
  if (text === null) throw new Fault("input", `${path}: is not UTF-8 text`);
  return parseConfig(text, path);
}

/** The configuration in `text`; `path` is for messages. */
export function parseConfig(text: string, path: string): Config {
  const parsed = configFile.safeParse(parseToml(text, path));
  if (!parsed.success) {
    const issue = parsed.error.issues[0] as z.core.$ZodIssue;
    const place = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] as string] : issue.path;
    const message = issue.code === "unrecognized_keys" ? "is not known" : issue.message;
    throw new Fault("input", `${path}:${lineOfKey(text, place)}: ${place.join(".") || "file"}: ${message}`);
  }
  const { tls = null, defaults = {}, set: sets = [] } = parsed.data;
  for (const [index, { name }] of sets.entries()) {
    const first = sets.findIndex((other) => other.name === name);
    if (first < index)
      throw new Fault("input", `${path}:${lineOfKey(text, ["set", index, "name"])}: set.${index}.name: ${JSON.stringify(name)} is the name of two sets`);
  }
  return { tls, defaults, sets };
}

function parseToml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [reason] = cause.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new Fault("input", `${path}:${cause.line}: ${reason} (column ${cause.column})`, { cause });
  }
}
