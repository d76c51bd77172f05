/** Many 32-byte ids in one growing run of bytes: an object for each would cost four times the memory. */

const ID_BYTES = 32;

export class IdList {
  #bytes = new Uint8Array(ID_BYTES * 16);
  #length = 0;

  get count(): number {
    return this.#length / ID_BYTES;
  }

  push(id: Uint8Array): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(id, this.#length);
    this.#length += ID_BYTES;
  }

  /** The ids, joined, in fresh memory. */
  joined(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }
}
