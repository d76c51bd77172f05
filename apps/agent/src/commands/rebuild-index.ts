/** `holdfast rebuild-index`: the local index anew from the storage node. */
import type { Registry } from "../cli/run.ts";

export function registerRebuildIndex({ program, action }: Registry): void {
  const command = program
    .command("rebuild-index")
    .summary("build the local index anew")
    .description("Builds the local index anew from the index records on the storage node. A lost or damaged index costs time, never data.")
    .addHelpText("after", "\nExample:\n  holdfast rebuild-index");
  action(command, async (run) => {
    using _lock = run.lock();
    await using session = await run.openSession();
    const { indexes, packs, objects, skipped } = await run.operations.rebuildIndex(session);
    run.report("index-rebuilt", { indexes, packs, objects, skipped }, [
      `Index rebuilt: ${objects.toLocaleString("en")} objects in ${packs.toLocaleString("en")} packs, from ${indexes} index records.`,
      ...(skipped > 0 ? [`${skipped} index records of other devices or epochs are not used.`] : []),
    ]);
    return undefined;
  });
}
