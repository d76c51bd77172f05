/** Bytes that come once and in order, such as standard input: the port of `stdin-node.ts`. */
export interface ByteInput {
  /** Fills the start of `target` with what there is, waiting for at least one byte; how many, 0 at the end. Failures are faults. */
  read(target: Uint8Array): number;
}
