/** `npm run prove -- foundation|wire [--only NAME,…] [--without NAME,…]`: one line for each proof with its figure, then `N passed, N failed`. */
import { parseArgs } from "node:util";
import { FOUNDATION } from "./foundation.ts";
import { type Proof, prove } from "./proof.ts";
import { WIRE } from "./wire.ts";

const SETS: Readonly<Record<string, readonly Proof[]>> = { foundation: FOUNDATION, wire: WIRE };
/** Sets of proofs whose parts of the product come with later releases. */
const LATER = ["editions", "speed", "history"];

const { values, positionals } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  allowPositionals: true,
  options: { only: { type: "string" }, without: { type: "string" } },
});
const [set] = positionals;
if (set !== undefined && LATER.includes(set)) stop(`prove: the proofs of ${set} are not there yet; those of ${Object.keys(SETS).join(" and ")} are`);
const proofs = SETS[set ?? ""];
if (proofs === undefined || positionals.length > 1)
  stop(`prove: want npm run prove -- ${Object.keys(SETS).join("|")}, got ${positionals.join(" ") || "nothing"}`);

const names = proofs.map((proof) => proof.name);
const only = namesOf(values.only) ?? names;
const without = namesOf(values.without) ?? [];
const holds = await prove(proofs.filter(({ name }) => only.includes(name) && !without.includes(name)));
process.exit(holds ? 0 : 1);

function namesOf(list: string | undefined): string[] | null {
  const chosen = list?.split(",") ?? null;
  const unknown = chosen?.find((name) => !names.includes(name));
  if (unknown !== undefined) stop(`prove: there is no proof ${unknown}, want some of ${names.join(",")}`);
  return chosen;
}

function stop(message: string): never {
  console.error(message);
  process.exit(2);
}
