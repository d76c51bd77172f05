/** A backup of what has not changed reads the metadata of every file and the content of none. */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { install } from "./harness/installation.ts";
import { skipWithout } from "./harness/needs.ts";
import { makeManyFiles } from "./harness/sample-tree.ts";
import { countReads } from "./harness/unchanged.ts";

const FILES = 1000;

describe(`of ${FILES} files`, () => {
  it("the first backup opens each one, the second none, and one that changed is the only one opened", { skip: skipWithout("strace") }, async () => {
    await using installation = await install("unchanged");
    const source = installation.scratch.folder("source");
    makeManyFiles(source, FILES);
    await Bun.sleep(3000); // What was written in the last two seconds must be read again, by the change rule.
    const first = await countReads(installation, source, "bun");
    assert.equal(first.filesOpened, FILES, "the count counts");
    const second = await countReads(installation, source, "bun");
    assert.deepEqual([second.filesOpened, second.fileReads], [0, 0]);
    appendFileSync(join(source, "d0", "f0"), "more");
    const third = await countReads(installation, source, "bun");
    assert.equal(third.filesOpened, 1);
  });

  it("a file that was written in the same instant as the last read is read again", async () => {
    await using installation = await install("same-tick");
    const { scratch, agent } = installation;
    const source = scratch.folder("source");
    const file = join(source, "busy");
    appendFileSync(file, "one");
    await agent.ok(["backup", source]);
    // Same size, same inode, and the time put back: only the change time tells, and it is too fresh to be trusted.
    Bun.spawnSync([
      "sh",
      "-c",
      'cp -p "$1" "$1.times" && printf two | dd of="$1" conv=notrunc status=none && touch -r "$1.times" "$1" && rm "$1.times"',
      "sh",
      file,
    ]);
    await agent.ok(["backup", source]);
    await agent.ok(["restore", "latest", "--target", scratch.at("restored")]);
    assert.equal(await Bun.file(join(scratch.at("restored"), file)).text(), "two");
  });
});
