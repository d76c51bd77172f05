/**
 * Deals content objects over two open packs by a random bit each (docs/format.md §11), so that the length of a pack
 * does not tell which objects of a file lie together. What is left at the end goes into one pack when it fits.
 */
import type { Random } from "@holdfast/base";
import type { ObjectKind } from "./object.ts";
import type { ClosedPack, PackWriter } from "./pack-writer.ts";

const DRAWN_BYTES = 32;

export interface PackDealer {
  /** Adds an object. A pack that is full is closed first. */
  add(objectId: Uint8Array, kind: ObjectKind, codec: number, stored: Uint8Array, plainBytes: number): void;
  /** Closes what is open: at most two packs, one when it fits. Ready for more afterwards. */
  flush(): void;
  /** Objects in open packs. */
  readonly openObjectCount: number;
}

/**
 * @param writers - Two for content; one for structure, which needs no dealing.
 * @param onClosed - Seals the pack before it returns: the views in it are used again.
 */
export function createPackDealer(writers: readonly [PackWriter, ...PackWriter[]], random: Random, onClosed: (pack: ClosedPack) => void): PackDealer {
  let drawn = new Uint8Array(0);
  let nextByte = 0;
  const draw = (): PackWriter => {
    if (writers.length === 1) return writers[0];
    if (nextByte === drawn.length) {
      drawn = random.bytes(DRAWN_BYTES);
      nextByte = 0;
    }
    // 256 is a multiple of two: no bias.
    return writers[(drawn[nextByte++] as number) % writers.length] as PackWriter;
  };
  const close = (writer: PackWriter): void => {
    if (writer.objectCount === 0) return;
    onClosed(writer.close());
    writer.clear();
  };
  return {
    get openObjectCount() {
      return writers.reduce((sum, writer) => sum + writer.objectCount, 0);
    },
    add(objectId, kind, codec, stored, plainBytes) {
      const writer = draw();
      if (!writer.fits(stored.length)) close(writer);
      writer.append(objectId, kind, codec, stored, plainBytes);
    },
    flush() {
      const [first, ...others] = writers;
      for (const other of others) {
        if (!first.fitsAll(other)) close(other);
        else if (other.objectCount > 0) {
          first.appendAll(other);
          other.clear();
        }
      }
      close(first);
    },
  };
}
