/** The tools of the suite can fail: a comparison that finds nothing and a proxy that cuts nothing would prove nothing. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { compareTrees } from "./compare.ts";
import { FaultProxy } from "./proxy.ts";
import { runOk } from "./run.ts";
import { makeSampleTree } from "./sample-tree.ts";
import { createScratch } from "./scratch.ts";

const scratch = createScratch("harness");
const source = scratch.at("source");
const copy = scratch.at("copy");

before(async () => makeSampleTree(source));
after(() => scratch[Symbol.dispose]());

describe("comparing trees", () => {
  it("finds no difference in a copy by cp -a", async () => {
    await runOk(["cp", "-a", source, copy]);
    assert.deepEqual(await compareTrees(source, copy), []);
  });

  const damages: Readonly<Record<string, string>> = {
    "a byte of content": "printf X | dd of=big.bin bs=1 seek=4000000 conv=notrunc status=none; touch -r SOURCE/big.bin big.bin",
    "a nanosecond of a time": "touch -d '2001-02-03 04:05:06.123456788 UTC' plain/file-4.txt",
    "a mode": "chmod 0645 modes/m0644",
    "a missing file": "rm plain/file-7.txt",
    "a file too many": "touch -d '2001-01-01' one-more",
    "a hard link that became a copy": "cp -p links/hard-one x; mv x links/hard-one",
    "a link's target": "ln -sfn plain links/to-itself",
    "a hole that was filled": "cat sparse/hole-only > x; touch -r sparse/hole-only x; mv x sparse/hole-only",
    "a name that is not UTF-8": "mv names/latin1* names/latin1",
  };
  for (const [name, script] of Object.entries(damages)) {
    it(`finds ${name}`, async () => {
      await runOk(["rm", "-rf", copy]);
      await runOk(["cp", "-a", source, copy]);
      await runOk(["sh", "-eu", "-c", script.replaceAll("SOURCE", source)], { cwd: copy });
      assert.notDeepEqual(await compareTrees(source, copy), []);
    });
  }
});

describe("the proxy", () => {
  /** Bytes that arrive behind a proxy when 100,000 are sent through it. */
  async function received(fault: FaultProxy["fault"]): Promise<number> {
    let byteCount = 0;
    const done = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on("data", (data) => {
        byteCount += data.length;
      });
      socket.on("close", () => done.resolve()).on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using proxy = await FaultProxy.start((server.address() as { port: number }).port);
    proxy.fault = fault;
    const socket = connect(proxy.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.end(new Uint8Array(100_000));
    await done.promise;
    server.close();
    return byteCount;
  }

  it("passes everything on without a fault, and in slices", async () => {
    assert.equal(await received(null), 100_000);
    assert.equal(await received({ sliceBytes: 999 }), 100_000);
  });

  it("cuts and resets at the byte", async () => {
    assert.equal(await received({ cutAtByte: 12_345 }), 12_345);
    assert.ok((await received({ resetAtByte: 12_345 })) <= 12_345);
  });
});
