/** Where the state folder and the configuration file lie, by options, environment and who runs the program. */
import { isAbsolute, join, resolve } from "node:path";
import { Fault } from "@holdfast/base";
import { tlsProfileNamed } from "@holdfast/client";
import type { TlsProfileName } from "@holdfast/pki";

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly currentFolder: string;
}

const ROOT_STATE = "/var/lib/holdfast";
const CONFIG_NAME = "holdfast.toml";

/** `--state`, else $HOLDFAST_STATE, else /var/lib/holdfast for root, else $XDG_STATE_HOME/holdfast or ~/.local/state/holdfast. */
export function resolveStateFolder(given: string | undefined, { environment, isRoot, currentFolder }: Surroundings): string {
  const chosen = given ?? (environment["HOLDFAST_STATE"] || undefined);
  if (chosen !== undefined) return resolve(currentFolder, chosen);
  if (isRoot) return ROOT_STATE;
  const { XDG_STATE_HOME: stateHome, HOME: home } = environment;
  // The XDG specification has relative paths ignored.
  if (stateHome !== undefined && isAbsolute(stateHome)) return join(stateHome, "holdfast");
  if (home === undefined || home === "") throw new Fault("input", "state folder: HOME is not set; give --state DIR");
  return join(home, ".local/state/holdfast");
}

/** `--config`, else $HOLDFAST_CONFIG, which must exist; else holdfast.toml in the state folder, if there is one. */
export function resolveConfigPath(
  given: string | undefined,
  stateFolder: string,
  { environment, currentFolder }: Surroundings,
): { readonly path: string; readonly isRequired: boolean } {
  const chosen = given ?? (environment["HOLDFAST_CONFIG"] || undefined);
  if (chosen !== undefined) return { path: resolve(currentFolder, chosen), isRequired: true };
  return { path: join(stateFolder, CONFIG_NAME), isRequired: false };
}

/** `--tls`, else $HOLDFAST_TLS, else what the configuration says, else `modern`. Only asked for `fromConfig` when the two are silent. */
export function resolveTlsProfile(given: string | undefined, fromConfig: () => TlsProfileName | null, { environment }: Surroundings): TlsProfileName {
  if (given !== undefined) return tlsProfileNamed(given, "--tls");
  const variable = environment["HOLDFAST_TLS"] || undefined;
  if (variable !== undefined) return tlsProfileNamed(variable, "HOLDFAST_TLS");
  return fromConfig() ?? "modern";
}
