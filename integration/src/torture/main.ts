/** `npm run torture -- --minutes N [--seed S] [--rounds R]`: rogues at the port once, then agents and nodes killed at random moments, for as long as you like. A seed repeats a run's choices. */
import { parseArgs } from "node:util";
import { createSeededRandom } from "@holdfast/testkit";
import { crashRounds } from "../harness/crash.ts";
import { install } from "../harness/installation.ts";
import { createScratch } from "../harness/scratch.ts";
import { StorageNode } from "../harness/storage-node.ts";
import { countRogues, prepareRogues } from "../wire/rogues.ts";

const ROUNDS_DEFAULT = 50;

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: { minutes: { type: "string", default: "5" }, seed: { type: "string" }, rounds: { type: "string" } },
});
const minutes = Number(values.minutes);
const firstSeed = Number(values.seed ?? Date.now() % 1_000_000_000);
const rounds = Number(values.rounds ?? ROUNDS_DEFAULT);
if (!(minutes > 0) || !Number.isSafeInteger(firstSeed) || !(rounds >= 1)) {
  console.error("torture: want --minutes N, and --seed S and --rounds R as whole numbers");
  process.exit(2);
}

const ROGUE_ATTEMPTS = 500;
const rogueCount = await rogueRound();

const endMs = performance.now() + minutes * 60_000;
let problemCount = rogueCount;
let killedCount = 0;
for (let seed = firstSeed; performance.now() < endMs || seed === firstSeed; seed++) {
  for (const victim of ["agent", "node"] as const) {
    console.log(`torture: seed ${seed}, ${victim} killed in ${rounds} backups`);
    await using installation = await install(`torture-${victim}`);
    const report = await crashRounds({ installation, random: createSeededRandom(seed), rounds, victim, say: (text) => console.log(`  ${text}`) });
    killedCount += report.killed;
    problemCount += report.problems.length;
    console.log(
      `torture: seed ${seed}, ${victim}: killed ${report.killed} of ${report.rounds}, snapshots ${report.snapshots}, problems ${report.problems.length}`,
    );
    for (const problem of report.problems) console.log(`  PROBLEM: ${problem}`);
  }
}
console.log(`torture: killed ${killedCount} times in all, problems ${problemCount}; repeat with --seed ${firstSeed}`);
process.exitCode = problemCount === 0 ? 0 : 1;

/** Every kind of rogue certificate so many times; how many were let in. */
async function rogueRound(): Promise<number> {
  using scratch = createScratch("torture-rogues");
  await using node = await StorageNode.start({ folder: scratch.path });
  using rogues = await prepareRogues(node, scratch.path);
  let accepted = 0;
  for (const count of await countRogues(rogues, ROGUE_ATTEMPTS)) {
    console.log(`torture: rogue, ${count.kind}: accepted ${count.accepted} of ${count.attempts}`);
    accepted += count.accepted;
  }
  return (await rogues.honest()) ? accepted : accepted + 1;
}
