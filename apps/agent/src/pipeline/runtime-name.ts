/** The runtime that this program runs under, for snapshots. */

interface RuntimeGlobals {
  readonly Bun?: { readonly version: string };
  readonly Deno?: { readonly version: { readonly deno: string } };
}

/** Name and version, as in `bun 1.4.5`. */
export function runtimeName(): string {
  const { Bun, Deno } = globalThis as RuntimeGlobals;
  if (Bun !== undefined) return `bun ${Bun.version}`;
  if (Deno !== undefined) return `deno ${Deno.version.deno}`;
  return `node ${process.versions.node}`;
}
