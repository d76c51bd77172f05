/**
 * One node of a list or a folder while it is being written: CBOR `{1: level, 2: [items]}` (docs/format.md §9, §10).
 * Items go behind reserved room, where the head, whose length depends on their number, is put when the node closes.
 */

import { assert, Fault } from "@holdfast/base";
import { SPLIT_BITS, SPLIT_ITEMS_MAX, SPLIT_ITEMS_MIN, TREE_LEVELS_MAX } from "@holdfast/protocol";
import { CborWriter, headBytes, writeHead } from "./cbor-writer.ts";

/** `A2 01 level 02` and the head of an array of at most `SPLIT_ITEMS_MAX` items. */
const FIXED_HEAD_BYTES = 4;
const HEAD_ROOM_BYTES = FIXED_HEAD_BYTES + 3;
const INITIAL_BYTES = 4 * 1024;
const SPLIT_MASK = (1 << SPLIT_BITS) - 1;

export class NodeBuffer {
  /** Where items are written, by the caller. */
  readonly writer = new CborWriter(INITIAL_BYTES);
  readonly level: number;
  itemCount = 0;
  #committedLength = HEAD_ROOM_BYTES;

  constructor(level: number) {
    if (level >= TREE_LEVELS_MAX) throw new Fault("limit", `node: more than ${TREE_LEVELS_MAX} levels`);
    this.level = level;
    this.writer.length = HEAD_ROOM_BYTES;
  }

  /** Another node that holds the same and goes its own way. */
  copy(): NodeBuffer {
    const copy = new NodeBuffer(this.level);
    copy.writer.length = 0;
    copy.writer.raw(this.writer.bytes.subarray(0, this.writer.length));
    copy.itemCount = this.itemCount;
    copy.#committedLength = this.#committedLength;
    return copy;
  }

  /** Length of the node if it closed with what has been written so far as one more item. */
  get lengthWithPending(): number {
    return FIXED_HEAD_BYTES + headBytes(this.itemCount + 1) + this.writer.length - HEAD_ROOM_BYTES;
  }

  /** What was written since the last commit is one item. */
  commit(): void {
    this.itemCount++;
    this.#committedLength = this.writer.length;
  }

  /** Whether a node ends after the item just committed, whose split word is `splitWord`. */
  endsAfter(splitWord: number): boolean {
    return this.itemCount >= SPLIT_ITEMS_MAX || (this.itemCount >= SPLIT_ITEMS_MIN && (splitWord & SPLIT_MASK) === 0);
  }

  /** The node's plaintext without what is pending: a view that is valid until the next call. */
  close(): Uint8Array {
    const { bytes } = this.writer;
    const start = HEAD_ROOM_BYTES - FIXED_HEAD_BYTES - headBytes(this.itemCount);
    bytes[start] = 0xa2;
    bytes[start + 1] = 1;
    bytes[start + 2] = this.level;
    bytes[start + 3] = 2;
    const end = writeHead(bytes, start + FIXED_HEAD_BYTES, 0x80, this.itemCount);
    assert(end === HEAD_ROOM_BYTES, "node: head fits its room");
    return bytes.subarray(start, this.#committedLength);
  }

  /** Starts the next node of the level; a pending item becomes the first thing written to it. */
  clear(): void {
    const { bytes, length } = this.writer;
    bytes.copyWithin(HEAD_ROOM_BYTES, this.#committedLength, length);
    this.writer.length = HEAD_ROOM_BYTES + length - this.#committedLength;
    this.itemCount = 0;
    this.#committedLength = HEAD_ROOM_BYTES;
  }
}
